// A dispatch of more than 65,535 workgroups runs in two dimensions: this is the position along
// both, one workgroup after another.
fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}
