// unpack: the f32 values of a weight at PRECISION: 0 f32, 1 f16, 2 int8; see pack.wgsl.
//
// words is rows × row_words, scales 1 × all rows, y rows × columns. One workgroup of 64 threads a
// row, one value a thread in turn.

//#include shared/grid

struct Params {
    rows: u32,
    columns: u32,
    row_words: u32,
    // Where the words start.
    words_at: u32,
    // Where y starts, in values.
    y_at: u32,
    // The first of these rows in the whole weight.
    first_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × row_words
@group(0) @binding(1) var<storage, read> words: array<u32>;
// 1 × all rows
@group(0) @binding(2) var<storage, read> scales: array<f32>;
// rows × columns
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group_index(group, groups);
    if row >= params.rows {
        return;
    }
    let start = params.words_at + row * params.row_words;
    let end = params.y_at + row * params.columns;
    for (var i = lane; i < params.columns; i += 64u) {
        let word = words[start + (i >> PRECISION)];
        if PRECISION == 0u {
            y[end + i] = bitcast<f32>(word);
        } else if PRECISION == 1u {
            let pair = unpack2x16float(word);
            y[end + i] = select(pair.x, pair.y, (i & 1u) == 1u);
        } else {
            let value = extractBits(bitcast<i32>(word), 8u * (i & 3u), 8u);
            y[end + i] = f32(value) * scales[params.first_row + row];
        }
    }
}
