// cosine_loss: 1 − cos(out, wanted) for every row, and its gradient scaled, written or added:
// scale · (û · cos − t̂) / ‖out‖.
//
// out, wanted and gradient are rows × columns, losses rows × 1. One workgroup of 64 threads a
// row; the three dot products in one reduction.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    // Where out, wanted and gradient start, in values.
    at: u32,
    // Where the losses start.
    losses_at: u32,
    scale: f32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns
@group(0) @binding(1) var<storage, read> out: array<f32>;
// rows × columns
@group(0) @binding(2) var<storage, read> wanted: array<f32>;
// rows × columns
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
// rows × 1
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;

fn inverse_root(squares: f32) -> f32 {
    let norm = sqrt(squares);
    if norm > 0.0 {
        return 1.0 / norm;
    }
    return 0.0;
}

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
    var sums = vec4(0.0);
    for (var i = lane; i < params.columns; i += LANES) {
        let u = out[start + i];
        let t = wanted[start + i];
        sums += vec4(u * u, t * t, u * t, 0.0);
    }
    let dots = reduce_sum(lane, sums);
    let iu = inverse_root(dots.x);
    let it = inverse_root(dots.y);
    let cosine = dots.z * iu * it;
    for (var i = lane; i < params.columns; i += LANES) {
        var d = params.scale * iu * (out[start + i] * iu * cosine - wanted[start + i] * it);
        if params.accumulate != 0u {
            d += gradient[start + i];
        }
        gradient[start + i] = d;
    }
    if lane == 0u {
        losses[params.losses_at + row] = 1.0 - cosine;
    }
}
