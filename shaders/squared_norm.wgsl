// squared_norm: the sum of squares of `count` values, in as many parts as there are workgroups;
// column_sum adds the parts.
//
// Workgroups of 256 threads stride over the values together; which thread takes which value
// depends on the count alone, so the sum is repeatable.

const LANES: u32 = 256u;
//#include shared/reduce

struct Params {
    count: u32,
    at: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// count
@group(0) @binding(1) var<storage, read> x: array<f32>;
// one value a workgroup
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var sum = 0.0;
    for (var i = group.x * LANES + local; i < params.count; i += groups.x * LANES) {
        let value = x[params.at + i];
        sum += value * value;
    }
    let total = reduce_sum(local, vec4(sum)).x;
    if local == 0u {
        parts[group.x] = total;
    }
}
