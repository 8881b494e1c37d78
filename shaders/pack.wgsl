// pack: an f32 weight to PRECISION: 0 f32 (a copy), 1 f16 (two values a word), 2 int8 (four
// values a word; the scale of a row is its largest magnitude over 127).
//
// x is rows × columns, words rows × row_words, scales 1 × all rows. One workgroup of 64 threads a
// row. The f16 bits are made by hand, rounded to nearest even: pack2x16float may round either
// way, and the same weight should be packed alike on every device.

//#include shared/grid
const LANES: u32 = 64u;
//#include shared/reduce

struct Params {
    rows: u32,
    columns: u32,
    row_words: u32,
    // Where x starts, in values.
    x_at: u32,
    // Where the words start.
    words_at: u32,
    // The first of these rows in the whole weight.
    first_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × columns, as bits: a NaN must keep them
@group(0) @binding(1) var<storage, read> x: array<u32>;
// rows × row_words
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
// 1 × all rows
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;

fn half_bits(bits: u32) -> u32 {
    let sign = (bits >> 16u) & 0x8000u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return sign | 0x7e00u;
    }
    if magnitude >= 0x47800000u {
        return sign | 0x7c00u;
    }
    if magnitude < 0x38800000u {
        // Below 2^-14: adding 0.5 leaves multiples of 2^-24 in the low bits.
        return sign | (bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u);
    }
    let odd = (magnitude >> 13u) & 1u;
    return sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13u);
}

// The bits of column i of a row, zero beyond the last.
fn value_bits(start: u32, i: u32) -> u32 {
    if i >= params.columns {
        return 0u;
    }
    return x[start + i];
}

// Rounded to nearest, ties away from zero, in the low byte.
fn byte(value: f32) -> u32 {
    return u32(i32(sign(value) * floor(abs(value) + 0.5))) & 0xffu;
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
    let start = params.x_at + row * params.columns;
    let end = params.words_at + row * params.row_words;
    var inverse = 0.0;
    if PRECISION == 2u {
        var largest = 0.0;
        for (var i = lane; i < params.columns; i += LANES) {
            largest = max(largest, abs(bitcast<f32>(x[start + i])));
        }
        largest = reduce_max(lane, largest);
        if largest > 0.0 {
            inverse = 127.0 / largest;
        }
        if lane == 0u {
            scales[params.first_row + row] = largest / 127.0;
        }
    }
    for (var i = lane; i < params.row_words; i += LANES) {
        if PRECISION == 0u {
            words[end + i] = x[start + i];
        } else if PRECISION == 1u {
            let low = half_bits(value_bits(start, 2u * i));
            words[end + i] = low | (half_bits(value_bits(start, 2u * i + 1u)) << 16u);
        } else {
            let a = byte(bitcast<f32>(value_bits(start, 4u * i)) * inverse);
            let b = byte(bitcast<f32>(value_bits(start, 4u * i + 1u)) * inverse);
            let c = byte(bitcast<f32>(value_bits(start, 4u * i + 2u)) * inverse);
            let d = byte(bitcast<f32>(value_bits(start, 4u * i + 3u)) * inverse);
            words[end + i] = a | (b << 8u) | (c << 16u) | (d << 24u);
        }
    }
}
