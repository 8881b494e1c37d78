// gram_loss: for every row of the cosines C of a batch, its share of the geometry loss
// Σ_j p_j (d_j − Σ p d)² with d = C − T and p the softmax of sharpness · T over the other rows, and
// of the diversity loss Σ_others C² / m; the cosines are replaced by the gradient
// geometry · p · (d − Σ p d) + diversity · C, zero at the row's own place. At a sharpness of zero
// the mean Σ p d is left out.
//
// cosines and wanted are rows × m of the m × m matrices, losses rows × 2. One workgroup of 64
// threads a row, three passes over it: the nearest, so that no exponential overflows; the sums
// behind the softmax and its mean; losses and gradient.

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
    // 2 / m and 2 / m² times the weights of the two losses.
    geometry: f32,
    diversity: f32,
    // 1 / τ
    sharpness: f32,
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

    // Below every cosine.
    var nearest = -3.0;
    for (var i = lane; i < params.m; i += LANES) {
        nearest = max(nearest, select(wanted[start + i], -3.0, i == own));
    }
    nearest = reduce_max(lane, nearest);

    // Σ e and Σ e · d, the softmax being e / Σ e.
    var sums = vec4(0.0);
    for (var i = lane; i < params.m; i += LANES) {
        let t = wanted[start + i];
        let e = select(exp(params.sharpness * (t - nearest)), 0.0, i == own);
        sums += vec4(e, e * (cosines[start + i] - t), 0.0, 0.0);
    }
    let totals = reduce_sum(lane, sums);
    // A batch of one has no others.
    let scale = select(0.0, 1.0 / totals.x, totals.x > 0.0);
    let mean = select(0.0, totals.y * scale, params.sharpness > 0.0);

    var shares = vec4(0.0);
    for (var i = lane; i < params.m; i += LANES) {
        let t = wanted[start + i];
        let share = select(scale * exp(params.sharpness * (t - nearest)), 0.0, i == own);
        let c = select(cosines[start + i], 0.0, i == own);
        let d = c - t - mean;
        shares += vec4(share * d * d, c * c, 0.0, 0.0);
        cosines[start + i] = params.geometry * share * d + params.diversity * c;
    }
    let found = reduce_sum(lane, shares);
    if lane == 0u {
        losses[params.losses_at + 2u * row] = found.x;
        losses[params.losses_at + 2u * row + 1u] = found.y / f32(params.m);
    }
}
