// attention: out = softmax(q · kᵀ / √head) · v for every head of every token.
//
// qkv is tokens × 3·width (q, k, v; each head after head), out tokens × width; probabilities,
// tokens × heads·sequence, keeps the softmax. Runs of `sequence` tokens attend to one another.
// One workgroup of 64 threads a token and head: the threads stride over the tokens of the run
// for the scores, then over the values of the head for the sum.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    tokens: u32,
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
@group(0) @binding(2) var<storage, read_write> probabilities: array<f32>;
// tokens × width
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.tokens * params.heads {
        return;
    }
    let token = index / params.heads;
    let h = index % params.heads;
    let run = token - token % params.sequence;
    let triple = 3u * params.width;
    let q = token * triple + h * params.head;
    let k = run * triple + params.width + h * params.head;
    let v = k + params.width;
    let p = index * params.sequence;

    var largest = -3.0e38;
    for (var t = lane; t < params.sequence; t += LANES) {
        var dot = 0.0;
        for (var i = 0u; i < params.head; i++) {
            dot += qkv[q + i] * qkv[k + t * triple + i];
        }
        let score = params.scale * dot;
        probabilities[p + t] = score;
        largest = max(largest, score);
    }
    largest = reduce_max(lane, largest);
    var sum = 0.0;
    for (var t = lane; t < params.sequence; t += LANES) {
        let weight = exp(probabilities[p + t] - largest);
        probabilities[p + t] = weight;
        sum += weight;
    }
    let total = reduce_sum(lane, vec4(sum)).x;
    for (var t = lane; t < params.sequence; t += LANES) {
        probabilities[p + t] = probabilities[p + t] / total;
    }
    storageBarrier();
    for (var i = lane; i < params.head; i += LANES) {
        var value = 0.0;
        for (var t = 0u; t < params.sequence; t++) {
            value += probabilities[p + t] * qkv[v + t * triple + i];
        }
        out[token * params.width + h * params.head + i] = value;
    }
}
