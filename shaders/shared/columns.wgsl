// Sums over rows: a workgroup of 256 threads takes 32 columns, eight threads a column stride over
// the rows, and their sums are added along a tree.
var<workgroup> lane_sums: array<vec2<f32>, 256>;

// The sum over the eight threads of this thread's column.
fn reduce_rows(local: u32, value: vec2<f32>) -> vec2<f32> {
    lane_sums[local] = value;
    workgroupBarrier();
    for (var span = 128u; span >= 32u; span = span / 2u) {
        if local < span {
            lane_sums[local] += lane_sums[local + span];
        }
        workgroupBarrier();
    }
    return lane_sums[local % 32u];
}
