// layer_norm_grad: with x̂ = (x − mean) · inverse and g = dy ⊙ weight,
// dx = inverse · (g − mean(g) − x̂ · mean(g ⊙ x̂)) for every row.
//
// x, dy and dx are rows × columns, statistics rows × 2, weight 1 × columns. One workgroup of 64
// threads a row; both means in one reduction.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    // Where x, dy and dx start, in values.
    at: u32,
    // Where the statistics start, in values.
    statistics_at: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// rows × 2
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
// 1 × columns
@group(0) @binding(3) var<storage, read> weight: array<f32>;
// rows × columns
@group(0) @binding(4) var<storage, read> dy: array<f32>;
// rows × columns
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

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
    let mean = statistics[params.statistics_at + 2u * row];
    let inverse = statistics[params.statistics_at + 2u * row + 1u];
    var sum = 0.0;
    var dot = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        let g = dy[start + i] * weight[i];
        sum += g;
        dot += g * (x[start + i] - mean) * inverse;
    }
    let means = reduce_sum(lane, vec4(sum, dot, 0.0, 0.0)) / f32(params.columns);
    for (var i = lane; i < params.columns; i += LANES) {
        let g = dy[start + i] * weight[i];
        dx[start + i] = inverse * (g - means.x - (x[start + i] - mean) * inverse * means.y);
    }
}
