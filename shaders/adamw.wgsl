// adamw: one step of AdamW with decoupled decay, the gradient clipped by the norm of all of them.
//
// gradient, parameter, first and second are `count` values, elementwise, one a thread.

//#include shared/grid

struct Params {
    // Values, and where they start in the five buffers.
    count: u32,
    at: u32,
    // learning rate / (1 − beta1^t)
    step: f32,
    // 1 / √(1 − beta2^t)
    root: f32,
    // 1 − learning rate · decay
    keep: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    clip_norm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// count
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
// 1: of the gradients of all parameters
@group(0) @binding(2) var<storage, read> squared_norm: array<f32>;
// count
@group(0) @binding(3) var<storage, read_write> parameter: array<f32>;
// count
@group(0) @binding(4) var<storage, read_write> first: array<f32>;
// count
@group(0) @binding(5) var<storage, read_write> second: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = 256u * group_index(group, groups) + local;
    if index >= params.count {
        return;
    }
    let i = params.at + index;
    let norm = sqrt(squared_norm[0]);
    var clip = 1.0;
    if norm > params.clip_norm {
        clip = params.clip_norm / norm;
    }
    let g = gradient[i] * clip;
    let m = params.beta1 * first[i] + (1.0 - params.beta1) * g;
    let v = params.beta2 * second[i] + (1.0 - params.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    let p = parameter[i] * params.keep;
    parameter[i] = p - params.step * m / (sqrt(v) * params.root + params.epsilon);
}
