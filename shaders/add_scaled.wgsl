// add_scaled: a = a + scale · b over `count` values, one a thread.

//#include shared/grid

struct Params {
    count: u32,
    a_at: u32,
    b_at: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// count
@group(0) @binding(1) var<storage, read> b: array<f32>;
// count
@group(0) @binding(2) var<storage, read_write> a: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = 256u * group_index(group, groups) + local;
    if i < params.count {
        a[params.a_at + i] += params.scale * b[params.b_at + i];
    }
}
