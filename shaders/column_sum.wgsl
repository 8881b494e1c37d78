// column_sum: sums = scale · Σ_rows x, or sums += …
//
// x is rows × columns, sums 1 × columns. See shared/columns.wgsl for the order of the sum.

//#include shared/grid
//#include shared/columns

struct Params {
    rows: u32,
    columns: u32,
    x_at: u32,
    scale: f32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// 1 × columns
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = 32u * group_index(group, groups) + local % 32u;
    var sum = 0.0;
    if column < params.columns {
        for (var row = local / 32u; row < params.rows; row += 8u) {
            sum += x[params.x_at + row * params.columns + column];
        }
    }
    let total = params.scale * reduce_rows(local, vec2(sum)).x;
    if local < 32u && column < params.columns {
        if params.accumulate != 0u {
            sums[column] += total;
        } else {
            sums[column] = total;
        }
    }
}
