// attention_grad: gradients of q, k and v from the gradient of the output.
//
// Per head: dv = Pᵀ · dout; dP = dout · vᵀ; dS = P ⊙ (dP − rowsum(P ⊙ dP)) / √head;
// dq = dS · k; dk = dSᵀ · q. Shapes as in attention.wgsl; dqkv is tokens × 3·width. One workgroup
// of 64 threads a run of tokens and head: it goes through the tokens of its run in turn, and each
// thread owns some values of the head, so that no two threads add to the same place. A run has
// at most 512 tokens, whose dS and P lie in workgroup memory (4 KiB).

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    // Runs of `sequence` tokens.
    runs: u32,
    // heads · head
    width: u32,
    heads: u32,
    // Values of a head.
    head: u32,
    sequence: u32,
    // 1 / √head
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// tokens × 3·width
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
// tokens × heads·sequence
@group(0) @binding(2) var<storage, read> probabilities: array<f32>;
// tokens × width
@group(0) @binding(3) var<storage, read> dout: array<f32>;
// tokens × 3·width
@group(0) @binding(4) var<storage, read_write> dqkv: array<f32>;

// dS and P of one token against every token of its run.
var<workgroup> ds: array<vec2<f32>, 512>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.runs * params.heads {
        return;
    }
    let h = index % params.heads;
    let run = index / params.heads * params.sequence;
    let triple = 3u * params.width;
    let q = run * triple + h * params.head;
    let k = q + params.width;
    let v = k + params.width;

    for (var t = 0u; t < params.sequence; t++) {
        for (var i = lane; i < params.head; i += LANES) {
            dqkv[k + t * triple + i] = 0.0;
            dqkv[v + t * triple + i] = 0.0;
        }
    }
    for (var token = 0u; token < params.sequence; token++) {
        let p = ((run + token) * params.heads + h) * params.sequence;
        let d = (run + token) * params.width + h * params.head;
        var weighted = 0.0;
        for (var t = lane; t < params.sequence; t += LANES) {
            var dot = 0.0;
            for (var i = 0u; i < params.head; i++) {
                dot += dout[d + i] * qkv[v + t * triple + i];
            }
            ds[t] = vec2(dot, probabilities[p + t]);
            weighted += probabilities[p + t] * dot;
        }
        let mean = reduce_sum(lane, vec4(weighted)).x;
        for (var t = lane; t < params.sequence; t += LANES) {
            ds[t].x = ds[t].y * (ds[t].x - mean) * params.scale;
        }
        workgroupBarrier();
        for (var i = lane; i < params.head; i += LANES) {
            let q_value = qkv[q + token * triple + i];
            let d_value = dout[d + i];
            var dq = 0.0;
            for (var t = 0u; t < params.sequence; t++) {
                let pair = ds[t];
                dq += pair.x * qkv[k + t * triple + i];
                dqkv[k + t * triple + i] += pair.x * q_value;
                dqkv[v + t * triple + i] += pair.y * d_value;
            }
            dqkv[q + token * triple + i] = dq;
        }
        workgroupBarrier();
    }
}
