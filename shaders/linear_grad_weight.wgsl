// linear_grad_weight: dW = dyᵀ · x, or dW += dyᵀ · x.
//
// dy is inner × dy_stride of which `rows` columns from `dy_at` on are the rows of dW in this
// buffer; x is inner × columns, dW rows × columns; inner is the number of vectors. One workgroup
// of 128 threads computes a tile of 64 × 64; see shared/tile.wgsl. Both operands are loaded
// along their rows.

struct Params {
    // Rows of dW in this buffer.
    rows: u32,
    // Rows of dy and x.
    inner: u32,
    // Columns of x and of dW.
    columns: u32,
    // Where dy starts, in values, its first column included.
    dy_at: u32,
    // Values in a row of dy.
    dy_stride: u32,
    // Where x starts, in values.
    x_at: u32,
    // Where dW starts, in values.
    out_at: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// inner × dy_stride
@group(0) @binding(1) var<storage, read> dy: array<f32>;
// inner × columns
@group(0) @binding(2) var<storage, read> x: array<f32>;
// dW: rows × columns
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

//#include shared/tile
//#include shared/product_store

// Four columns of row k of dy; columns beyond the last repeat it, their sums are dropped.
fn fetch_dy(k: u32, column: u32) -> vec4<f32> {
    if k >= params.inner {
        return vec4(0.0);
    }
    let columns = min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
    let at = params.dy_at + k * params.dy_stride + columns;
    return vec4(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}

// Four columns of row k of x.
fn fetch_x(k: u32, column: u32) -> vec4<f32> {
    if k >= params.inner {
        return vec4(0.0);
    }
    let columns = min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(params.columns - 1u));
    let at = params.x_at + k * params.columns + columns;
    return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first_row = 64u * group.y;
    let first_column = 64u * group.x;
    let low = local % 16u;
    let high = local / 16u;
    let row = first_row + 4u * low;
    let column = first_column + 4u * low;
    var sums = Sums();
    var a0 = fetch_dy(high, row);
    var a1 = fetch_dy(high + 8u, row);
    var b0 = fetch_x(high, column);
    var b1 = fetch_x(high + 8u, column);
    for (var k = STEP; k < params.inner + STEP; k += STEP) {
        left[high * STRIDE + low] = a0;
        left[(high + 8u) * STRIDE + low] = a1;
        right[high * STRIDE + low] = b0;
        right[(high + 8u) * STRIDE + low] = b1;
        workgroupBarrier();
        a0 = fetch_dy(k + high, row);
        a1 = fetch_dy(k + high + 8u, row);
        b0 = fetch_x(k + high, column);
        b1 = fetch_x(k + high + 8u, column);
        multiply_tiles(&sums, low, high);
        workgroupBarrier();
    }
    put_tile(first_row + 8u * high, column, &sums);
}
