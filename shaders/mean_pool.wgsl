// mean_pool: the mean over the tokens of each sequence.
//
// x is tokens × columns, starts 1 × (sequences + 1) with the first token of each sequence and the
// number of tokens at the end, y sequences × columns. One workgroup of 64 threads a sequence, the
// threads stride over the columns.

//#include shared/grid

struct Params {
    sequences: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// tokens × columns
@group(0) @binding(1) var<storage, read> x: array<f32>;
// 1 × (sequences + 1)
@group(0) @binding(2) var<storage, read> starts: array<u32>;
// sequences × columns
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let sequence = group_index(group, groups);
    if sequence >= params.sequences {
        return;
    }
    let first = starts[sequence];
    let end = starts[sequence + 1u];
    let share = 1.0 / f32(end - first);
    for (var i = lane; i < params.columns; i += 64u) {
        var sum = 0.0;
        for (var token = first; token < end; token++) {
            sum += x[token * params.columns + i];
        }
        y[sequence * params.columns + i] = sum * share;
    }
}
