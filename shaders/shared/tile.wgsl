// The inner part of every matrix product: a tile of 64 × 64 results for 128 threads, over steps
// of 16 along the inner size.
//
// A thread computes 8 rows × 4 columns in eight named vec4 accumulators (an indexed array would
// be spilled to memory by several compilers). Per inner step it reads three vec4 from workgroup
// memory for 32 multiply-adds. A tile row holds 16 vec4 and one of padding: threads that store
// along the inner size then meet different banks. Both tiles take 8,704 of the 16,384 bytes.
const STEP: u32 = 16u;
const STRIDE: u32 = 17u;

// left[k · STRIDE + g]: rows 4g … 4g+3 of the left operand at inner position k.
var<workgroup> left: array<vec4<f32>, 272>;
// right[k · STRIDE + g]: columns 4g … 4g+3 of the right operand at inner position k.
var<workgroup> right: array<vec4<f32>, 272>;

struct Sums {
    r0: vec4<f32>,
    r1: vec4<f32>,
    r2: vec4<f32>,
    r3: vec4<f32>,
    r4: vec4<f32>,
    r5: vec4<f32>,
    r6: vec4<f32>,
    r7: vec4<f32>,
}

// Adds the product of the two tiles; `across` (0 … 15) picks four columns, `down` (0 … 7) eight
// rows.
fn multiply_tiles(sums: ptr<function, Sums>, across: u32, down: u32) {
    for (var k = 0u; k < STEP; k++) {
        let a = left[k * STRIDE + 2u * down];
        let b = left[k * STRIDE + 2u * down + 1u];
        let w = right[k * STRIDE + across];
        (*sums).r0 += a.x * w;
        (*sums).r1 += a.y * w;
        (*sums).r2 += a.z * w;
        (*sums).r3 += a.w * w;
        (*sums).r4 += b.x * w;
        (*sums).r5 += b.y * w;
        (*sums).r6 += b.z * w;
        (*sums).r7 += b.w * w;
    }
}
