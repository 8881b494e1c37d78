// linear_grad_input: dx = dy · W, or dx += dy · W.
//
// dy is rows × dy_stride of which `inner` columns from `dy_at` on meet the `inner` rows of W in
// this buffer; W is inner × columns, dx rows × columns. One workgroup of 128 threads computes a
// tile of 64 × 64; see shared/tile.wgsl. dy is loaded along the inner size, W along its rows.

struct Params {
    rows: u32,
    // Rows of W in this buffer.
    inner: u32,
    // Columns of W and of dx.
    columns: u32,
    // Where dy starts, in values, its first column included.
    dy_at: u32,
    // Values in a row of dy.
    dy_stride: u32,
    // Where W starts, in values.
    weight_at: u32,
    // Where dx starts, in values.
    out_at: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rows × dy_stride
@group(0) @binding(1) var<storage, read> dy: array<f32>;
// inner × columns
@group(0) @binding(2) var<storage, read> weight: array<f32>;
// dx: rows × columns
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

//#include shared/tile
//#include shared/product_store

// Inner position k of four rows of dy; rows beyond the last repeat it, their sums are dropped.
fn fetch_dy(row: u32, k: u32) -> vec4<f32> {
    if k >= params.inner {
        return vec4(0.0);
    }
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
    let at = params.dy_at + k + rows * params.dy_stride;
    return vec4(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}

// Four columns of row k of W; columns beyond the last repeat it.
fn fetch_weight(k: u32, column: u32) -> vec4<f32> {
    if k >= params.inner {
        return vec4(0.0);
    }
    let columns = min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(params.columns - 1u));
    let at = params.weight_at + k * params.columns + columns;
    return vec4(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
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
    let row = first_row + 4u * high;
    let column = first_column + 4u * low;
    var sums = Sums();
    var a0 = fetch_dy(row, low);
    var a1 = fetch_dy(row + 32u, low);
    var b0 = fetch_weight(high, column);
    var b1 = fetch_weight(high + 8u, column);
    for (var k = STEP; k < params.inner + STEP; k += STEP) {
        left[low * STRIDE + high] = a0;
        left[low * STRIDE + high + 8u] = a1;
        right[high * STRIDE + low] = b0;
        right[(high + 8u) * STRIDE + low] = b1;
        workgroupBarrier();
        a0 = fetch_dy(row, k + low);
        a1 = fetch_dy(row + 32u, k + low);
        b0 = fetch_weight(k + high, column);
        b1 = fetch_weight(k + high + 8u, column);
        multiply_tiles(&sums, low, high);
        workgroupBarrier();
    }
    put_tile(first_row + 8u * high, column, &sums);
}
