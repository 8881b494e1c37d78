// mse_loss: the mean of (out − wanted)² for every row, and its gradient scaled, written or added:
// scale · 2 · (out − wanted) / columns.
//
// out, wanted and gradient are rows × columns, losses rows × 1. One workgroup of 64 threads a
// row.

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
    let columns = f32(params.columns);
    var sum = 0.0;
    for (var i = lane; i < params.columns; i += LANES) {
        let difference = out[start + i] - wanted[start + i];
        sum += difference * difference;
        var d = params.scale * 2.0 * difference / columns;
        if params.accumulate != 0u {
            d += gradient[start + i];
        }
        gradient[start + i] = d;
    }
    let total = reduce_sum(lane, vec4(sum)).x;
    if lane == 0u {
        losses[params.losses_at + row] = total / columns;
    }
}
