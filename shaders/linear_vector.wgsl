// linear_vector: y = act(x · Wᵀ + b) for at most four rows.
//
// x is rows × inputs, W outputs × inputs, y rows × outputs; see shared/linear.wgsl. So few rows
// are bound by reading the weight, so each word of it is read once, by 32 neighbouring threads
// along a row; the four rows of x ride in one vec4. A workgroup of 256 threads computes eight
// outputs, and sums the 32 threads of each along a tree.

//#include shared/activation
//#include shared/grid
//#include shared/linear

var<workgroup> lane_sums: array<vec4<f32>, 256>;

// One inner position of the four rows; rows beyond the last repeat it, their sums are dropped.
fn x_at(k: u32) -> vec4<f32> {
    if k >= params.inputs {
        return vec4(0.0);
    }
    let at = params.x_at + k + min(vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u)) * params.inputs;
    return vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn product(word_index: u32, word: u32) -> vec4<f32> {
    if PRECISION == 0u {
        return bitcast<f32>(word) * x_at(word_index);
    }
    if PRECISION == 1u {
        let pair = unpack2x16float(word);
        return pair.x * x_at(2u * word_index) + pair.y * x_at(2u * word_index + 1u);
    }
    let bytes = vec4(bitcast<i32>(word)) << vec4(24u, 16u, 8u, 0u);
    let w = vec4<f32>(bytes >> vec4(24u));
    let k = 4u * word_index;
    return w.x * x_at(k) + w.y * x_at(k + 1u) + w.z * x_at(k + 2u) + w.w * x_at(k + 3u);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % 32u;
    let output = 8u * group_index(group, groups) + local / 32u;
    // Outputs beyond the last repeat it: every thread must reach the barriers.
    let start = params.weight_at + min(output, params.outputs - 1u) * params.row_words;
    var sum = vec4(0.0);
    for (var word = lane; word < params.row_words; word += 32u) {
        sum += product(word, weight[start + word]);
    }
    lane_sums[local] = sum;
    workgroupBarrier();
    for (var span = 16u; span > 0u; span = span / 2u) {
        if lane < span {
            lane_sums[local] += lane_sums[local + span];
        }
        workgroupBarrier();
    }
    if lane < params.rows {
        let sums = lane_sums[local - lane];
        finish(lane, output, select(select(sums.x, sums.y, lane == 1u),
            select(sums.z, sums.w, lane == 3u), lane >= 2u));
    }
}
