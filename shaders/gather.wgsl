// gather: rows of a table by their indices, y_i = table[indices_i], the table at PRECISION: 0 f32,
// 1 f16, 2 int8; see pack.wgsl.
//
// words is rows of the table × row_words, scales 1 × all rows of the table, indices 1 × all rows
// of y, y rows × columns. Of a table in several buffers each is given in turn and writes the rows
// it has. One workgroup of 64 threads a row of y, one value a thread in turn.

//#include shared/grid

struct Params {
    rows: u32,
    columns: u32,
    row_words: u32,
    // Where the words start.
    words_at: u32,
    // The first row of the table in this buffer, and how many there are.
    first_index: u32,
    indices_here: u32,
    // The first of these rows in the whole of y.
    first_row: u32,
    // Where y starts, in values.
    y_at: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows of the table × row_words
@group(0) @binding(1) var<storage, read> words: array<u32>;
// 1 × all rows of the table, for int8
@group(0) @binding(2) var<storage, read> scales: array<f32>;
// 1 × all rows of y
@group(0) @binding(3) var<storage, read> indices: array<u32>;
// rows × columns
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

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
    let index = indices[params.first_row + row];
    if index < params.first_index || index - params.first_index >= params.indices_here {
        return;
    }
    let start = params.words_at + (index - params.first_index) * params.row_words;
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
            y[end + i] = f32(value) * scales[index];
        }
    }
}
