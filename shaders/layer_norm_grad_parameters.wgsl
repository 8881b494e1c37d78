// layer_norm_grad_parameters: dweight = Σ_rows dy ⊙ x̂ and dbias = Σ_rows dy, with
// x̂ = (x − mean) · inverse; or added to what is there.
//
// x and dy are rows × columns, statistics rows × 2, both gradients 1 × columns. See
// shared/columns.wgsl for the order of the sums.

//#include shared/grid
//#include shared/columns

struct Params {
    rows: u32,
    columns: u32,
    // Where x and dy start, in values.
    at: u32,
    // Where the statistics start, in values.
    statistics_at: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// rows × 2
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
// rows × columns
@group(0) @binding(3) var<storage, read> dy: array<f32>;
// 1 × columns
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;
// 1 × columns
@group(0) @binding(5) var<storage, read_write> dbias: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = 32u * group_index(group, groups) + local % 32u;
    var sums = vec2(0.0);
    if column < params.columns {
        for (var row = local / 32u; row < params.rows; row += 8u) {
            let i = params.at + row * params.columns + column;
            let s = params.statistics_at + 2u * row;
            sums += dy[i] * vec2((x[i] - statistics[s]) * statistics[s + 1u], 1.0);
        }
    }
    var total = reduce_rows(local, sums);
    if local < 32u && column < params.columns {
        if params.accumulate != 0u {
            total += vec2(dweight[column], dbias[column]);
        }
        dweight[column] = total.x;
        dbias[column] = total.y;
    }
}
