// Sums and maxima over the LANES (a power of two) threads of a workgroup, always along the same
// tree, so that a result is repeatable. Every thread must call them.
var<workgroup> lane_sums: array<vec4<f32>, LANES>;

fn reduce_sum(lane: u32, value: vec4<f32>) -> vec4<f32> {
    // The threads may still be reading the result of the reduction before.
    workgroupBarrier();
    lane_sums[lane] = value;
    workgroupBarrier();
    for (var span = LANES / 2u; span > 0u; span = span / 2u) {
        if lane < span {
            lane_sums[lane] += lane_sums[lane + span];
        }
        workgroupBarrier();
    }
    return lane_sums[0];
}

fn reduce_max(lane: u32, value: f32) -> f32 {
    workgroupBarrier();
    lane_sums[lane].x = value;
    workgroupBarrier();
    for (var span = LANES / 2u; span > 0u; span = span / 2u) {
        if lane < span {
            lane_sums[lane].x = max(lane_sums[lane].x, lane_sums[lane + span].x);
        }
        workgroupBarrier();
    }
    return lane_sums[0].x;
}
