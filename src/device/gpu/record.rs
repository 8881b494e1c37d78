//! Recording: pipelines, bindings, parameters, and the one compute pass that is open.

use std::collections::HashMap;

use super::buffer::{Chunk, Freed};
use super::shaders;

/// Bytes between two sets of parameters: the alignment that WebGPU grants a uniform binding.
const SLOT: usize = 256;
/// Dispatches between two submissions; their parameters share one buffer.
const SLOTS: usize = 1024;
/// Passes that one measurement may span.
const TIMED_PASSES: u32 = 64;

/// One run of a shader.
#[derive(Debug)]
pub(crate) struct Dispatch<'a> {
    /// Its file, without the ending.
    pub(crate) shader: &'static str,
    /// Which variant of it, where there are several.
    pub(crate) variant: u32,
    /// The fields of its `Params`, floats as bits.
    pub(crate) params: &'a [u32],
    /// Its read-only bindings, from 1 on.
    pub(crate) reads: &'a [&'a Chunk],
    /// Its writable bindings, after those.
    pub(crate) writes: &'a [&'a Chunk],
    /// Workgroups along x and y.
    pub(crate) groups: [u32; 2],
}

/// Workgroups along x and y for `count` of them: 65,535 is the most along one.
pub(crate) fn grid(count: usize) -> [u32; 2] {
    let x = count.clamp(1, 65_535);
    [x as u32, count.div_ceil(x) as u32]
}

/// How many bindings of each kind a shader has.
type Signature = (usize, usize);

/// What is recorded and not yet submitted, and what is kept between submissions.
pub(super) struct Recorder {
    open: Option<Open>,
    /// Parameters of the open pass, one slot a dispatch; they reach `arena` before it runs.
    params: Vec<u8>,
    arena: wgpu::Buffer,
    layouts: HashMap<Signature, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    pipelines: HashMap<(&'static str, u32), wgpu::ComputePipeline>,
    bindings: HashMap<(Signature, Vec<u64>), wgpu::BindGroup>,
    freed: Freed,
    timing: Option<Timing>,
}

struct Open {
    encoder: wgpu::CommandEncoder,
    pass: wgpu::ComputePass<'static>,
}

/// Timestamps around the passes of one measurement.
pub(super) struct Timing {
    pub(super) queries: wgpu::QuerySet,
    /// Passes so far, those beyond [`TIMED_PASSES`] without timestamps.
    pub(super) passes: u32,
}

impl Timing {
    /// Whether every pass was timed.
    pub(super) fn complete(&self) -> bool {
        self.passes <= TIMED_PASSES
    }
}

impl Recorder {
    pub(super) fn new(device: &wgpu::Device, freed: Freed) -> Self {
        let arena = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: (SLOT * SLOTS) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            open: None,
            params: Vec::new(),
            arena,
            layouts: HashMap::new(),
            pipelines: HashMap::new(),
            bindings: HashMap::new(),
            freed,
            timing: None,
        }
    }

    /// Records one dispatch; true if it is time to submit.
    pub(super) fn record(&mut self, device: &wgpu::Device, dispatch: &Dispatch<'_>) -> bool {
        debug_assert!(4 * dispatch.params.len() <= SLOT);
        self.forget_freed();
        self.prepare(device, dispatch);
        let signature = (dispatch.reads.len(), dispatch.writes.len());
        let ids = dispatch.reads.iter().chain(dispatch.writes).map(|chunk| chunk.id).collect();
        if self.open.is_none() {
            self.open = Some(self.begin(device));
        }
        let pass = &mut self.open.as_mut().expect("opened above").pass;
        let slot = self.params.len();
        self.params.extend_from_slice(bytemuck::cast_slice(dispatch.params));
        self.params.resize(slot + SLOT, 0);
        pass.set_pipeline(&self.pipelines[&(dispatch.shader, dispatch.variant)]);
        pass.set_bind_group(0, &self.bindings[&(signature, ids)], &[slot as u32]);
        let [x, y] = dispatch.groups;
        pass.dispatch_workgroups(x, y, 1);
        self.params.len() >= SLOT * SLOTS
    }

    /// Makes the pipeline and the bindings of `dispatch` where they are not known yet.
    fn prepare(&mut self, device: &wgpu::Device, dispatch: &Dispatch<'_>) {
        let signature = (dispatch.reads.len(), dispatch.writes.len());
        let (bind_layout, layout) =
            self.layouts.entry(signature).or_insert_with(|| layouts(device, signature));
        self.pipelines
            .entry((dispatch.shader, dispatch.variant))
            .or_insert_with(|| pipeline(device, dispatch.shader, dispatch.variant, layout));
        let chunks = || dispatch.reads.iter().chain(dispatch.writes);
        self.bindings.entry((signature, chunks().map(|c| c.id).collect())).or_insert_with(|| {
            let arena = wgpu::BufferBinding {
                buffer: &self.arena,
                offset: 0,
                size: wgpu::BufferSize::new(SLOT as u64),
            };
            let arena = wgpu::BindingResource::Buffer(arena);
            let resources =
                std::iter::once(arena).chain(chunks().map(|c| c.buffer.as_entire_binding()));
            let entries: Vec<_> = (0..)
                .zip(resources)
                .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                .collect();
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(dispatch.shader),
                layout: bind_layout,
                entries: &entries,
            })
        });
    }

    fn begin(&mut self, device: &wgpu::Device) -> Open {
        let mut encoder = device.create_command_encoder(&Default::default());
        let timestamp_writes = self.timing.as_mut().and_then(|timing| {
            let pass = timing.passes;
            timing.passes += 1;
            (pass < TIMED_PASSES).then_some(wgpu::ComputePassTimestampWrites {
                query_set: &timing.queries,
                beginning_of_pass_write_index: Some(2 * pass),
                end_of_pass_write_index: Some(2 * pass + 1),
            })
        });
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        let pass = encoder.begin_compute_pass(&descriptor).forget_lifetime();
        Open { encoder, pass }
    }

    /// Ends the open pass and submits it.
    pub(super) fn submit(&mut self, queue: &wgpu::Queue) {
        let Some(Open { encoder, pass }) = self.open.take() else { return };
        drop(pass);
        // Writes take effect in the order of submissions, so the parameters of the pass before
        // are read before these replace them.
        queue.write_buffer(&self.arena, 0, &self.params);
        self.params.clear();
        queue.submit([encoder.finish()]);
    }

    /// Times the passes from now on, until [`Self::end_timing`].
    pub(super) fn begin_timing(&mut self, device: &wgpu::Device) {
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2 * TIMED_PASSES,
        });
        self.timing = Some(Timing { queries, passes: 0 });
    }

    /// The timestamps since [`Self::begin_timing`].
    pub(super) fn end_timing(&mut self) -> Option<Timing> {
        self.timing.take()
    }

    /// Drops the bindings of buffers that are gone: they would keep the memory.
    fn forget_freed(&mut self) {
        let freed = {
            let mut freed = self.freed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *freed)
        };
        if !freed.is_empty() {
            self.bindings.retain(|(_, ids), _| !ids.iter().any(|id| freed.contains(id)));
        }
    }
}

fn layouts(
    device: &wgpu::Device,
    (reads, writes): Signature,
) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let buffer = |binding: usize, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![buffer(0, wgpu::BufferBindingType::Uniform, true)];
    entries.extend((1..=reads + writes).map(|binding| {
        let read_only = binding <= reads;
        buffer(binding, wgpu::BufferBindingType::Storage { read_only }, false)
    }));
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    (bindings, layout)
}

fn pipeline(
    device: &wgpu::Device,
    shader: &'static str,
    variant: u32,
    layout: &wgpu::PipelineLayout,
) -> wgpu::ComputePipeline {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(shader),
        source: wgpu::ShaderSource::Wgsl(shaders::source(shader, variant).into()),
    };
    let checks = wgpu::ShaderRuntimeChecks {
        force_loop_bounding: false,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: only the guard against endless loops is left out, which would keep compilers from
    // unrolling the products. The shaders are our own; each of their loops counts one variable
    // up to, or halves it down to, a bound that the loop does not change. Accesses stay checked.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(shader),
        layout: Some(layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every shader writes its workgroup memory before it reads it.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}
