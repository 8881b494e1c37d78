// activation: y = act(x), and slope = act'(x) if wanted, over `count` values, one a thread.

//#include shared/activation
//#include shared/grid

struct Params {
    count: u32,
    // Where x, y and slope start; their shapes are the same.
    at: u32,
    activation: u32,
    has_slope: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// count
@group(0) @binding(1) var<storage, read> x: array<f32>;
// count
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// count
@group(0) @binding(3) var<storage, read_write> slope: array<f32>;

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
    let result = activate(params.activation, x[i]);
    y[i] = result.x;
    if params.has_slope != 0u {
        slope[i] = result.y;
    }
}
