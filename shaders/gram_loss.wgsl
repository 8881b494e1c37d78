// gram_loss: for every row of the cosines C of a batch against the teacher's T, its share of the
// geometry loss, 2 τ² KL(p ‖ q) with p the softmax of T / τ over the other rows and q that of C / τ
// (at a sharpness of zero their mean of (C − T)²), and of the diversity loss Σ_others C² / m; the
// cosines are replaced by the gradient geometry · τ (q − p) + diversity · C, zero at the row's own
// place.
//
// cosines and wanted are rows × m of the m × m matrices, losses rows × 2. One workgroup of 64
// threads a row, three passes over it: the largest, so that no exponential overflows; the sums
// behind the softmax of each; losses and gradient.

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
    var nearest_found = -3.0;
    for (var i = lane; i < params.m; i += LANES) {
        nearest = max(nearest, select(wanted[start + i], -3.0, i == own));
        nearest_found = max(nearest_found, select(cosines[start + i], -3.0, i == own));
    }
    nearest = reduce_max(lane, nearest);
    nearest_found = reduce_max(lane, nearest_found);

    // Σ e, Σ e · (T − C) and Σ f, p being e / Σ e and q f / Σ f.
    var sums = vec4(0.0);
    for (var i = lane; i < params.m; i += LANES) {
        let t = wanted[start + i];
        let c = cosines[start + i];
        let e = select(exp(params.sharpness * (t - nearest)), 0.0, i == own);
        let f = select(exp(params.sharpness * (c - nearest_found)), 0.0, i == own);
        sums += vec4(e, e * (t - c), f, 0.0);
    }
    let totals = reduce_sum(lane, sums);
    let sharp = params.sharpness > 0.0;
    // A batch of one has no others.
    let others = totals.x > 0.0;
    let scale = select(0.0, 1.0 / totals.x, others);
    let scale_found = select(0.0, 1.0 / totals.z, others);
    let tau = select(0.0, 1.0 / params.sharpness, sharp);

    var shares = vec4(0.0);
    for (var i = lane; i < params.m; i += LANES) {
        let t = wanted[start + i];
        let c = select(cosines[start + i], 0.0, i == own);
        let p = select(scale * exp(params.sharpness * (t - nearest)), 0.0, i == own);
        let q = select(scale_found * exp(params.sharpness * (c - nearest_found)), 0.0, i == own);
        let d = c - t;
        shares += vec4(p * d * d, c * c, 0.0, 0.0);
        let slope = select(p * d, tau * (q - p), sharp);
        cosines[start + i] = params.geometry * slope + params.diversity * c;
    }
    let found = reduce_sum(lane, shares);
    if lane == 0u {
        // Σ p (ln p − ln q)
        let divergence = params.sharpness * (totals.y * scale + nearest_found - nearest)
            + log(totals.z) - log(totals.x);
        let geometry = select(found.x, 2.0 * tau * tau * max(divergence, 0.0), sharp && others);
        losses[params.losses_at + 2u * row] = geometry;
        losses[params.losses_at + 2u * row + 1u] = found.y / f32(params.m);
    }
}
