// linear: y = act(x · Wᵀ + b) for many rows.
//
// x is rows × inputs, W outputs × inputs, y rows × outputs; see shared/linear.wgsl. One workgroup
// of 128 threads computes a tile of 64 rows × 64 outputs, over steps of 16 inputs; see
// shared/tile.wgsl. While a step is multiplied, the values of the next are already on their way
// into registers. Threads load along the inner size, which lies together in memory in x and W.

//#include shared/activation
//#include shared/linear
//#include shared/tile

// Where four consecutive rows start; rows beyond the last read the last, their sums are dropped.
fn row_starts(row: u32, rows: u32, stride: u32, start: u32) -> vec4<u32> {
    let four = vec4(row) + vec4(0u, 1u, 2u, 3u);
    return start + min(four, vec4(rows - 1u)) * stride;
}

fn fetch_x(starts: vec4<u32>, k: u32) -> vec4<f32> {
    if k >= params.inputs {
        return vec4(0.0);
    }
    let at = starts + k;
    return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn fetch_weight(starts: vec4<u32>, word: u32) -> vec4<u32> {
    if word >= params.row_words {
        return vec4(0u);
    }
    let at = starts + word;
    return vec4(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
}

// Writes a word of four rows of the weight to the tile: one, two or four inner positions.
fn store_weight(words: vec4<u32>, word: u32, four: u32) {
    if PRECISION == 0u {
        right[word * STRIDE + four] = bitcast<vec4<f32>>(words);
    } else if PRECISION == 1u {
        let a = unpack2x16float(words.x);
        let b = unpack2x16float(words.y);
        let c = unpack2x16float(words.z);
        let d = unpack2x16float(words.w);
        right[2u * word * STRIDE + four] = vec4(a.x, b.x, c.x, d.x);
        right[(2u * word + 1u) * STRIDE + four] = vec4(a.y, b.y, c.y, d.y);
    } else {
        let bytes = bitcast<vec4<i32>>(words);
        let at = 4u * word * STRIDE + four;
        right[at] = vec4<f32>(extractBits(bytes, 0u, 8u));
        right[at + STRIDE] = vec4<f32>(extractBits(bytes, 8u, 8u));
        right[at + 2u * STRIDE] = vec4<f32>(extractBits(bytes, 16u, 8u));
        right[at + 3u * STRIDE] = vec4<f32>(extractBits(bytes, 24u, 8u));
    }
}

fn finish_row(row: u32, output: u32, sums: vec4<f32>) {
    if row >= params.rows {
        return;
    }
    finish(row, output, sums.x);
    finish(row, output + 1u, sums.y);
    finish(row, output + 2u, sums.z);
    finish(row, output + 3u, sums.w);
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first_row = 64u * group.y;
    let first_output = 64u * group.x;
    // Of x, and of an f32 weight, a thread loads two vec4: one inner position, four rows each.
    let k = local % 16u;
    let four = local / 16u;
    let x_low = row_starts(first_row + 4u * four, params.rows, params.inputs, params.x_at);
    let x_high = row_starts(first_row + 4u * four + 32u, params.rows, params.inputs, params.x_at);
    // Of a packed weight one word of four rows suffices; int8 leaves half of the threads idle.
    let step_words = STEP >> PRECISION;
    let word = local % step_words;
    let fours = local / step_words;
    let w_row = first_output + 4u * fours;
    let w_low = row_starts(w_row, params.outputs, params.row_words, params.weight_at);
    let w_high = row_starts(w_row + 32u, params.outputs, params.row_words, params.weight_at);

    let across = local % 16u;
    let down = local / 16u;
    var sums = Sums();
    var x0 = fetch_x(x_low, k);
    var x1 = fetch_x(x_high, k);
    var w0 = fetch_weight(w_low, word);
    var w1 = vec4(0u);
    if PRECISION == 0u {
        w1 = fetch_weight(w_high, word);
    }
    let steps = (params.inputs + STEP - 1u) / STEP;
    for (var step = 1u; step <= steps; step++) {
        left[k * STRIDE + four] = x0;
        left[k * STRIDE + four + 8u] = x1;
        if PRECISION != 2u || fours < 16u {
            store_weight(w0, word, fours);
        }
        if PRECISION == 0u {
            store_weight(w1, word, fours + 8u);
        }
        workgroupBarrier();
        x0 = fetch_x(x_low, step * STEP + k);
        x1 = fetch_x(x_high, step * STEP + k);
        w0 = fetch_weight(w_low, step * step_words + word);
        if PRECISION == 0u {
            w1 = fetch_weight(w_high, step * step_words + word);
        }
        multiply_tiles(&sums, across, down);
        workgroupBarrier();
    }

    let row = first_row + 8u * down;
    let output = first_output + 4u * across;
    finish_row(row, output, sums.r0);
    finish_row(row + 1u, output, sums.r1);
    finish_row(row + 2u, output, sums.r2);
    finish_row(row + 3u, output, sums.r3);
    finish_row(row + 4u, output, sums.r4);
    finish_row(row + 5u, output, sums.r5);
    finish_row(row + 6u, output, sums.r6);
    finish_row(row + 7u, output, sums.r7);
}
