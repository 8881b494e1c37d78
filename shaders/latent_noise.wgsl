// latent_noise: y = gain · x + offset + deviation · n over `count` values of rows × cols, one a
// thread; gain, offset and deviation belong to the column, n is nearly Gaussian.
//
// n is the sum of four even numbers of 16 bits, from two PCG hashes (Jarzynski and Olano 2020) of
// the seed and the value's place, scaled to variance 1: the same bits on every device.

//#include shared/grid

struct Params {
    count: u32,
    cols: u32,
    x_at: u32,
    y_at: u32,
    // place of the first value in the whole tensor
    first: u32,
    seed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// count
@group(0) @binding(1) var<storage, read> x: array<f32>;
// 3 × cols: gain, offset, deviation
@group(0) @binding(2) var<storage, read> channel: array<f32>;
// count
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn hash(v: u32) -> u32 {
    let state = v * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

fn noise(place: u32) -> f32 {
    let a = hash(hash(place) ^ params.seed);
    let b = hash(a ^ 0x9e3779b9u);
    let sum = (a & 0xffffu) + (a >> 16u) + (b & 0xffffu) + (b >> 16u);
    return (f32(sum) - 131070.0) * 2.6429e-5;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = 256u * group_index(group, groups) + local;
    if i < params.count {
        let column = i % params.cols;
        let clean = channel[column] * x[params.x_at + i] + channel[params.cols + column];
        let deviation = channel[2u * params.cols + column];
        y[params.y_at + i] = clean + deviation * noise(params.first + i);
    }
}
