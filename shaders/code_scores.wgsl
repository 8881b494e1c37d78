// code_scores: cosines of queries with documents that lie as trellis codes.
//
// Codes are documents × words, four bytes a word, the first byte lowest; queries are
// queries × (coordinates + 1), unit rows, the last value of a row the product with what every
// document has alike; scores are documents × queries. A thread reads one document, bit by bit as
// it lies, for at most eight queries at once, whose sums are two named vectors: unpacked values
// live in registers only. The values that windows stand for are read from workgroup memory (8 KiB).

//#include shared/grid

const TABLES: u32 = 8u;
const STATES: u32 = 256u;

struct Params {
    documents: u32,
    // words of a code
    words: u32,
    // bytes of a code
    bytes: u32,
    codes_at: u32,
    coordinates: u32,
    queries: u32,
    first_query: u32,
    scores_at: u32,
    // squared length of what every document has alike
    rest: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// documents × words
@group(0) @binding(1) var<storage, read> codes: array<u32>;
// coordinates × (bits of the code up to its own last one, table, scale, mean)
@group(0) @binding(2) var<storage, read> steps: array<vec4<u32>>;
// TABLES × STATES
@group(0) @binding(3) var<storage, read> values: array<f32>;
// queries × (coordinates + 1)
@group(0) @binding(4) var<storage, read> queries: array<f32>;
// documents × queries
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

var<workgroup> table: array<f32, 2048>;

// Byte `at` of a document's code; 0 beyond its end.
fn byte(row: u32, at: u32) -> u32 {
    if at >= params.bytes {
        return 0u;
    }
    return (codes[row + at / 4u] >> (8u * (at % 4u))) & 255u;
}

fn query_values(place: u32) -> array<vec4<f32>, 2> {
    let last = vec4(params.queries - 1u);
    let low = min(params.first_query + vec4(0u, 1u, 2u, 3u), last);
    let high = min(params.first_query + vec4(4u, 5u, 6u, 7u), last);
    let a = low * (params.coordinates + 1u) + place;
    let b = high * (params.coordinates + 1u) + place;
    return array(
        vec4(queries[a.x], queries[a.y], queries[a.z], queries[a.w]),
        vec4(queries[b.x], queries[b.y], queries[b.z], queries[b.w]),
    );
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    for (var i = local; i < TABLES * STATES; i += 64u) {
        table[i] = values[i];
    }
    workgroupBarrier();
    let document = 64u * group_index(group, groups) + local;
    if document >= params.documents {
        return;
    }
    let row = params.codes_at + document * params.words;
    let alike = query_values(params.coordinates);
    var low = alike[0];
    var high = alike[1];
    var square = params.rest;
    for (var i = 0u; i < params.coordinates; i++) {
        let step = steps[i];
        let at = step.x / 8u;
        let before = select(byte(row, at - 1u), 0u, at == 0u);
        let window = (((byte(row, at) << 8u) | before) >> (step.x % 8u)) & 255u;
        let value = bitcast<f32>(step.w)
            + bitcast<f32>(step.z) * table[step.y * STATES + window];
        let q = query_values(i);
        low += value * q[0];
        high += value * q[1];
        square += value * value;
    }
    let scale = select(inverseSqrt(square), 0.0, square == 0.0);
    let to = params.scores_at + document * params.queries;
    for (var i = 0u; i < min(8u, params.queries - params.first_query); i++) {
        let sums = select(low, high, i >= 4u);
        scores[to + params.first_query + i] = scale * sums[i % 4u];
    }
}
