//! Every shader in `shaders/` runs on any WebGPU device and on every native backend: it is parsed
//! and validated with nothing beyond base WebGPU, held against WebGPU's default limits, and turned
//! into SPIR-V, MSL and HLSL. This needs no GPU.

use std::path::Path;

use naga::back::{hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::Layouter;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};

/// `maxStorageBuffersPerShaderStage`.
const STORAGE_BUFFERS: usize = 8;
/// `maxUniformBuffersPerShaderStage`.
const UNIFORM_BUFFERS: usize = 12;
/// `maxBindGroups`.
const BIND_GROUPS: u32 = 4;
/// `maxComputeInvocationsPerWorkgroup`.
const INVOCATIONS: u64 = 256;
/// `maxComputeWorkgroupSizeX`, `Y` and `Z`.
const WORKGROUP_SIZE: [u32; 3] = [256, 256, 64];
/// `maxComputeWorkgroupStorageSize` in bytes.
const WORKGROUP_BYTES: u64 = 16384;

/// Validates with base WebGPU only. Packing to f16 (`pack2x16float`) is part of that, f16 itself,
/// subgroups and immediates are not.
fn validate(module: &Module) -> Result<ModuleInfo, String> {
    let mut validator =
        Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32);
    validator.validate(module).map_err(|e| format!("not valid in base WebGPU: {e:?}"))
}

/// Everything that is wrong with one shader.
fn faults(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//") {
        found.push("the first line is not a comment that says what it computes".into());
    }
    let module = match naga::front::wgsl::parse_str(source) {
        Ok(module) => module,
        Err(error) => {
            found.push(error.emit_to_string(source));
            return found;
        }
    };
    let info = match validate(&module) {
        Ok(info) => info,
        Err(error) => {
            found.push(error);
            return found;
        }
    };
    if module.entry_points.is_empty() {
        found.push("there is no entry point".into());
    }
    for entry in &module.entry_points {
        let name = &entry.name;
        if entry.stage != ShaderStage::Compute {
            found.push(format!("{name} is not a compute shader"));
            continue;
        }
        let chosen = Some((entry.stage, name.as_str()));
        match process_overrides(&module, &info, chosen, &Default::default()) {
            Err(error) => found.push(format!("{name}: overrides without a default? {error}")),
            Ok((module, info)) => {
                let mut of_entry = over_limits(&module, &info, name);
                of_entry.extend(untranslatable(&module, &info, name));
                found.extend(of_entry.into_iter().map(|fault| format!("{name}: {fault}")));
            }
        }
    }
    found
}

/// What of the entry point `name` exceeds WebGPU's default limits, overrides at their defaults.
fn over_limits(module: &Module, info: &ModuleInfo, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let index = module.entry_points.iter().position(|e| e.name == name).unwrap();
    let [x, y, z] = module.entry_points[index].workgroup_size;
    let product = u64::from(x) * u64::from(y) * u64::from(z);
    if product > INVOCATIONS || product == 0 {
        found.push(format!("{product} invocations a workgroup, 1 to {INVOCATIONS} are allowed"));
    }
    for (axis, size) in [x, y, z].into_iter().enumerate() {
        if size > WORKGROUP_SIZE[axis] {
            let (name, limit) = (["x", "y", "z"][axis], WORKGROUP_SIZE[axis]);
            found.push(format!("workgroup size {size} in {name}, the limit is {limit}"));
        }
    }
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let uses = info.get_entry_point(index);
    let (mut storage, mut uniform, mut bytes) = (0, 0, 0);
    for (handle, variable) in module.global_variables.iter() {
        if uses[handle].is_empty() {
            continue;
        }
        match variable.space {
            AddressSpace::Storage { .. } => storage += 1,
            AddressSpace::Uniform => uniform += 1,
            // WebGPU counts every variable in steps of 16 bytes.
            AddressSpace::WorkGroup => {
                bytes += u64::from(layouter[variable.ty].size).next_multiple_of(16);
            }
            AddressSpace::Private => {}
            other => found.push(format!("{:?} is in address space {other:?}", variable.name)),
        }
        if let Some(binding) = variable.binding
            && binding.group >= BIND_GROUPS
        {
            found.push(format!("bind group {}, there are {BIND_GROUPS}", binding.group));
        }
    }
    if storage > STORAGE_BUFFERS {
        found.push(format!("{storage} storage buffers, the limit is {STORAGE_BUFFERS}"));
    }
    if uniform > UNIFORM_BUFFERS {
        found.push(format!("{uniform} uniform buffers, the limit is {UNIFORM_BUFFERS}"));
    }
    if bytes > WORKGROUP_BYTES {
        found.push(format!("{bytes} bytes of workgroup memory, the limit is {WORKGROUP_BYTES}"));
    }
    found
}

/// Which of SPIR-V, MSL and HLSL cannot be made of the entry point `name`.
fn untranslatable(module: &Module, info: &ModuleInfo, name: &str) -> Vec<String> {
    let stage = ShaderStage::Compute;
    let chosen = Some((stage, name.to_string()));
    let mut found = Vec::new();

    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    let pipeline = spv::PipelineOptions { shader_stage: stage, entry_point: name.into() };
    match spv::write_vec(module, info, &options, Some(&pipeline)) {
        Ok(words) if words.first() == Some(&0x0723_0203) => {}
        Ok(_) => found.push("SPIR-V: no magic number".into()),
        Err(error) => found.push(format!("SPIR-V: {error}")),
    }

    let options = msl::Options { lang_version: (2, 0), ..Default::default() };
    let pipeline = msl::PipelineOptions { entry_point: chosen.clone(), ..Default::default() };
    match msl::write_string(module, info, &options, &pipeline) {
        Ok((text, _)) if text.contains("kernel void") => {}
        Ok(_) => found.push("MSL: no kernel in the text".into()),
        Err(error) => found.push(format!("MSL: {error}")),
    }

    let (options, pipeline) =
        (hlsl::Options::default(), hlsl::PipelineOptions { entry_point: chosen });
    let mut text = String::new();
    match hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None) {
        Ok(_) if text.contains("numthreads") => {}
        Ok(_) => found.push("HLSL: no entry point in the text".into()),
        Err(error) => found.push(format!("HLSL: {error}")),
    }
    found
}

#[test]
fn every_shader_runs_everywhere() {
    let sources = lnsp::device::shader_sources();
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(name, source)| {
            faults(source).into_iter().map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // No file is left out: each is a shader, or one at several precisions.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    for entry in std::fs::read_dir(&folder).expect("the folder shaders") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "wgsl") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let of_file = |known: &str| known.split(' ').next() == Some(name.as_str());
            assert!(sources.iter().any(|(known, _)| of_file(known)), "{name} is not in the list");
        }
    }
}

/// A correct shader into which each of the tests below puts one fault.
const SOUND: &str = "\
// y = 2 x, one value an invocation.
override TILE: u32 = 64;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> tile: array<f32, TILE>;
@compute @workgroup_size(TILE, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    tile[i] = 2.0 * x[id.x];
    workgroupBarrier();
    y[id.x] = tile[i];
}
";

/// Asserts that exchanging `old` for `new` in [`SOUND`] gives a fault that speaks of `about`.
#[track_caller]
fn assert_fault(old: &str, new: &str, about: &str) {
    assert!(SOUND.contains(old), "{old:?} is not in the shader");
    let found = faults(&SOUND.replace(old, new));
    assert!(found.iter().any(|fault| fault.contains(about)), "no {about:?} among {found:?}");
}

#[test]
fn a_sound_shader_has_no_faults() {
    assert_eq!(faults(SOUND), Vec::<String>::new());
    // Exactly at the limits.
    let full = SOUND
        .replace("TILE: u32 = 64", "TILE: u32 = 256")
        .replace("<f32, TILE>", "<f32, TILE * 16>");
    assert_eq!(faults(&full), Vec::<String>::new());
}

#[test]
fn faults_are_found() {
    assert_fault("// y = 2 x", "const A = 1; // y", "first line");
    assert_fault("2.0 * x[id.x]", "two * x[id.x]", "two");
    assert_fault("@compute @workgroup_size(TILE, 1, 1)", "", "not valid");
    assert_fault("TILE: u32 = 64", "TILE: u32", "without a default");
    assert_fault("TILE: u32 = 64", "TILE: u32 = 257", "257 invocations");
    assert_fault("(TILE, 1, 1)", "(TILE, 8, 1)", "512 invocations");
    assert_fault("(TILE, 1, 1)", "(1, 1, TILE + 1)", "65 in z");
    assert_fault("array<f32, TILE>", "array<f32, TILE * 64 + 1>", "16400 bytes");
}

#[test]
fn more_than_base_webgpu_is_found() {
    assert_fault("2.0 * x[id.x]", "subgroupAdd(x[id.x])", "SUBGROUP");
    assert_fault(
        "// y = 2 x, one value an invocation.",
        "// y\nvar<immediate> n: u32;",
        "IMMEDIATES",
    );
    let half = "// y\nenable f16;\nvar<private> h: f16;";
    assert_fault("// y = 2 x, one value an invocation.", half, "FLOAT16");
    // Packing to f16 is in base WebGPU.
    let packs = SOUND.replace("2.0 * x[id.x]", "unpack2x16float(bitcast<u32>(x[id.x])).y");
    assert_eq!(faults(&packs), Vec::<String>::new());
}

#[test]
fn too_many_buffers_are_found() {
    for (count, fits) in [(8, true), (9, false)] {
        let mut source = String::from("// sum of all\n");
        let mut sum = String::from("0.0");
        for i in 1..count {
            source += &format!("@group(0) @binding({i}) var<storage, read> b{i}: array<f32>;\n");
            sum += &format!(" + b{i}[0]");
        }
        source += "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n";
        source += &format!("@compute @workgroup_size(1) fn main() {{ y[0] = {sum}; }}\n");
        let found = faults(&source);
        assert_eq!(found.is_empty(), fits, "{count} buffers: {found:?}");
    }
}
