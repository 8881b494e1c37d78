// normalize_rows: y = x / ‖x‖ for every row, and the norms.
//
// x and y are rows × columns, norms rows × 1. One workgroup of 64 threads a row.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    // Where x and y start, in values.
    at: u32,
    // Where the norms start.
    norms_at: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// rows × columns
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// rows × 1
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group_index(group, groups);
    if row >= params.rows {
        return;
    }
    let start = params.at + row * params.columns;
    var squares = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        let value = x[start + i];
        squares += value * value;
    }
    let norm = sqrt(reduce_sum(lane, vec4(squares)).x);
    var inverse = 0.0;
    if norm > 0.0 {
        inverse = 1.0 / norm;
    }
    for (var i = lane; i < params.columns; i += LANES) {
        y[start + i] = x[start + i] * inverse;
    }
    if lane == 0u {
        norms[params.norms_at + row] = norm;
    }
}
