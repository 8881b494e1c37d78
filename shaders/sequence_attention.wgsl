// sequence_attention: out = softmax(q · kᵀ / √head) · v for every head of every token, each token
// with the tokens of its own sequence.
//
// qkv is tokens × 3·width (q, k, v; each head after head), out tokens × width; starts,
// 1 × (sequences + 1), has the first token of each sequence and the number of tokens at the end,
// members, 1 × tokens, the sequence of each token. A sequence has at most LONGEST tokens: their
// scores stand in workgroup memory. One workgroup of 64 threads a token and head: the threads
// stride over the tokens of the sequence for the scores, then over the values of the head for the
// sum.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce
const LONGEST: u32 = 1024u;

struct Params {
    tokens: u32,
    // heads · head
    width: u32,
    heads: u32,
    // Values of a head.
    head: u32,
    // 1 / √head
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// tokens × 3·width
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
// 1 × (sequences + 1)
@group(0) @binding(2) var<storage, read> starts: array<u32>;
// 1 × tokens
@group(0) @binding(3) var<storage, read> members: array<u32>;
// tokens × width
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> scores: array<f32, LONGEST>;

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
    let first = starts[members[token]];
    let length = min(starts[members[token] + 1u] - first, LONGEST);
    let triple = 3u * params.width;
    let q = token * triple + h * params.head;
    let k = first * triple + params.width + h * params.head;
    let v = k + params.width;

    var largest = -3.0e38;
    for (var t = lane; t < length; t += LANES) {
        var dot = 0.0;
        for (var i = 0u; i < params.head; i++) {
            dot += qkv[q + i] * qkv[k + t * triple + i];
        }
        let score = params.scale * dot;
        scores[t] = score;
        largest = max(largest, score);
    }
    largest = reduce_max(lane, largest);
    var sum = 0.0;
    for (var t = lane; t < length; t += LANES) {
        let weight = exp(scores[t] - largest);
        scores[t] = weight;
        sum += weight;
    }
    // The barriers of the sum also make every thread's scores seen by all.
    let share = 1.0 / reduce_sum(lane, vec4(sum)).x;
    for (var i = lane; i < params.head; i += LANES) {
        var value = 0.0;
        for (var t = 0u; t < length; t++) {
            value += scores[t] * qkv[v + t * triple + i];
        }
        out[token * params.width + h * params.head + i] = value * share;
    }
}
