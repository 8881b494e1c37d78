// gram_loss: for every row of the cosines of a batch, its share of the geometry loss
// Σ (C − T)² / m and of the diversity loss Σ_off-diagonal C² / m; the cosines are replaced by the
// gradient geometry · (C − T) + diversity · C (no diversity on the diagonal).
//
// cosines and wanted are rows × m of the m × m matrices, losses rows × 2. One workgroup of 64
// threads a row; both sums in one reduction.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    // Columns: the vectors of the batch.
    m: u32,
    // Where cosines and wanted start, in values.
    at: u32,
    // Where the losses start, in values.
    losses_at: u32,
    // The first of these rows in the whole matrix.
    first_row: u32,
    // 4 / m² times the weights of the two losses.
    geometry: f32,
    diversity: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × m
@group(0) @binding(1) var<storage, read> wanted: array<f32>;
// rows × m
@group(0) @binding(2) var<storage, read_write> cosines: array<f32>;
// rows × 2
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

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
    let start = params.at + row * params.m;
    let own = params.first_row + row;
    var sums = vec4(0.0);
    for (var i = lane; i < params.m; i += LANES) {
        let c = cosines[start + i];
        let others = select(c, 0.0, i == own);
        let d = c - wanted[start + i];
        sums += vec4(d * d, others * others, 0.0, 0.0);
        cosines[start + i] = params.geometry * d + params.diversity * others;
    }
    let totals = reduce_sum(lane, sums) / f32(params.m);
    if lane == 0u {
        losses[params.losses_at + 2u * row] = totals.x;
        losses[params.losses_at + 2u * row + 1u] = totals.y;
    }
}
