// What the two kernels of a linear layer share: y = act(x · Wᵀ + b), its parameters, its
// bindings and what follows the product. PRECISION says how the weight is packed: 0 f32, 1 f16
// (two values a word), 2 int8 (four values a word and a scale a row).
struct Params {
    // Rows of x and y.
    rows: u32,
    // Values in a row of x and of the weight.
    inputs: u32,
    // Rows of the weight in this buffer.
    outputs: u32,
    // Words in a row of the weight.
    row_words: u32,
    // Where x starts in its buffer, in values.
    x_at: u32,
    // Where the weight starts in its buffer, in words.
    weight_at: u32,
    // Where y and slope start in their buffers, in values.
    y_at: u32,
    // Values in a row of y and slope.
    y_stride: u32,
    // The first column of y that these outputs are.
    first_output: u32,
    has_bias: u32,
    activation: u32,
    has_slope: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × inputs
@group(0) @binding(1) var<storage, read> x: array<f32>;
// outputs × row_words
@group(0) @binding(2) var<storage, read> weight: array<u32>;
// 1 × all outputs
@group(0) @binding(3) var<storage, read> bias: array<f32>;
// 1 × all outputs, for int8
@group(0) @binding(4) var<storage, read> scales: array<f32>;
// rows × y_stride
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
// rows × y_stride
@group(0) @binding(6) var<storage, read_write> slope: array<f32>;

// Scale, bias and activation on one sum, and its place in y.
fn finish(row: u32, output: u32, sum: f32) {
    if output >= params.outputs {
        return;
    }
    let column = params.first_output + output;
    var value = sum;
    if PRECISION == 2u {
        value *= scales[column];
    }
    if params.has_bias != 0u {
        value += bias[column];
    }
    let at = params.y_at + row * params.y_stride + column;
    let result = activate(params.activation, value);
    y[at] = result.x;
    if params.has_slope != 0u {
        slope[at] = result.y;
    }
}
