// residual_norm: y = (s − mean) / √(variance + ε) ⊙ weight + bias for every row, s = x + residual.
//
// x, residual and y are rows × columns, weight and bias 1 × columns. One workgroup of 64 threads a
// row; the sums s stand in y until they are normalised, and each thread reads only what it wrote
// itself. The variance is taken around the mean in a second pass.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    // Where x, residual and y start, in values.
    at: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// rows × columns
@group(0) @binding(2) var<storage, read> residual: array<f32>;
// 1 × columns
@group(0) @binding(3) var<storage, read> weight: array<f32>;
// 1 × columns
@group(0) @binding(4) var<storage, read> bias: array<f32>;
// rows × columns
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

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
    var sum = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        let s = x[start + i] + residual[start + i];
        y[start + i] = s;
        sum += s;
    }
    let mean = reduce_sum(lane, vec4(sum)).x / f32(params.columns);
    var squares = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        let d = y[start + i] - mean;
        squares += d * d;
    }
    let variance = reduce_sum(lane, vec4(squares)).x / f32(params.columns);
    let inverse = 1.0 / sqrt(variance + params.epsilon);
    for (var i = lane; i < params.columns; i += LANES) {
        y[start + i] = (y[start + i] - mean) * inverse * weight[i] + bias[i];
    }
}
