// Writes or adds the sums of a tile of a gradient: out is rows × columns from `out_at` on.
fn put(row: u32, column: u32, sum: f32) {
    if column >= params.columns {
        return;
    }
    let at = params.out_at + row * params.columns + column;
    if params.accumulate != 0u {
        out[at] += sum;
    } else {
        out[at] = sum;
    }
}

fn put_row(row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.rows {
        return;
    }
    put(row, column, sums.x);
    put(row, column + 1u, sums.y);
    put(row, column + 2u, sums.z);
    put(row, column + 3u, sums.w);
}

fn put_tile(row: u32, column: u32, sums: ptr<function, Sums>) {
    put_row(row, column, (*sums).r0);
    put_row(row + 1u, column, (*sums).r1);
    put_row(row + 2u, column, (*sums).r2);
    put_row(row + 3u, column, (*sums).r3);
    put_row(row + 4u, column, (*sums).r4);
    put_row(row + 5u, column, (*sums).r5);
    put_row(row + 6u, column, (*sums).r6);
    put_row(row + 7u, column, (*sums).r7);
}
