// normalize_rows_grad: dx = (dy − y · (y·dy)) / norm for every row.
//
// y, dy and dx are rows × columns, norms rows × 1. One workgroup of 64 threads a row.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    // Where y, dy and dx start, in values.
    at: u32,
    // Where the norms start.
    norms_at: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> y: array<f32>;
// rows × 1
@group(0) @binding(2) var<storage, read> norms: array<f32>;
// rows × columns
@group(0) @binding(3) var<storage, read> dy: array<f32>;
// rows × columns
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

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
    var dot = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        dot += y[start + i] * dy[start + i];
    }
    let along = reduce_sum(lane, vec4(dot)).x;
    let norm = norms[params.norms_at + row];
    var inverse = 0.0;
    if norm > 0.0 {
        inverse = 1.0 / norm;
    }
    for (var i = lane; i < params.columns; i += LANES) {
        dx[start + i] = (dy[start + i] - y[start + i] * along) * inverse;
    }
}
