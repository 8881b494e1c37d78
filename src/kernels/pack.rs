//! Packing weights to f16 and int8, and back.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::arch::Precision;
use crate::device::{Device, Dispatch, Gpu, Tensor, cut_rows, grid, only, par_rows, word};
use crate::error::Result;
use crate::kernels::weight::shader_variant;
use crate::kernels::{Weight, WeightRef, expect_shape};
use crate::linalg::panels::{self, Cut};
use crate::linalg::product::{Operand, Threads};
use crate::matrix::Matrix;

/// Packs `x` (`outputs × inputs`, f32) into `weight` at its precision. int8 takes one scale a
/// row, its largest magnitude over 127, and rounds to nearest (ties away from zero); a row of
/// zeros has scale zero.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn pack(device: &Device, x: &Tensor, weight: &mut Weight) -> Result<()> {
    let view = weight.view();
    let (precision, inputs) = (view.precision, view.inputs);
    expect_shape("pack", "x", x, view.outputs, view.inputs)?;
    match device {
        Device::Cpu(_) => {
            let (words, scales) = weight.parts_mut();
            pack_rows(precision, x.host(), inputs, words, scales);
            Ok(())
        }
        Device::Gpu(gpu) => pack_on_gpu(gpu, x, weight),
    }
}

/// The f32 values of a packed weight, `outputs × inputs`.
///
/// # Errors
/// [`crate::Error::Shape`], and what the device reports.
pub fn unpack<'w>(device: &Device, weight: impl Into<WeightRef<'w>>, y: &mut Tensor) -> Result<()> {
    let weight = weight.into();
    expect_shape("unpack", "y", y, weight.outputs, weight.inputs)?;
    match device {
        Device::Cpu(_) => {
            unpack_rows(weight, y.host_mut());
            Ok(())
        }
        Device::Gpu(gpu) => unpack_on_gpu(gpu, weight, y),
    }
}

fn pack_on_gpu(gpu: &Gpu, x: &Tensor, weight: &mut Weight) -> Result<()> {
    let view = weight.view();
    for rows in cut_rows(&[x, view.words], usize::MAX) {
        let ((x_chunk, x_at), (words, words_at)) = (rows.of(x), rows.of(view.words));
        gpu.run(&Dispatch {
            shader: "pack",
            variant: shader_variant(view.precision),
            params: &[
                word(rows.count),
                word(view.inputs),
                word(view.words.cols()),
                x_at,
                words_at,
                word(rows.first),
            ],
            reads: &[x_chunk],
            writes: &[words, view.scales.map_or(gpu.no_output(), only)],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn unpack_on_gpu(gpu: &Gpu, weight: WeightRef<'_>, y: &mut Tensor) -> Result<()> {
    for rows in cut_rows(&[weight.words, y], usize::MAX) {
        let ((words, words_at), (y, y_at)) = (rows.of(weight.words), rows.of(y));
        gpu.run(&Dispatch {
            shader: "unpack",
            variant: shader_variant(weight.precision),
            params: &[
                word(rows.count),
                word(weight.inputs),
                word(weight.words.cols()),
                words_at,
                y_at,
                word(rows.first),
            ],
            reads: &[words, weight.scales.map_or(gpu.no_input(), only)],
            writes: &[y],
            groups: grid(rows.count),
        })?;
    }
    Ok(())
}

fn pack_rows(
    precision: Precision,
    x: &[f32],
    inputs: usize,
    words: &mut Tensor,
    scales: Option<&mut Tensor>,
) {
    let per_row = words.cols();
    let words: &mut [u32] = bytemuck::cast_slice_mut(words.host_mut());
    match precision {
        Precision::F32 => words.copy_from_slice(bytemuck::cast_slice(x)),
        Precision::F16 => {
            for (row, out) in x.chunks_exact(inputs).zip(words.chunks_exact_mut(per_row)) {
                for (pair, word) in row.chunks(2).zip(out) {
                    let bits = |i: usize| f16::from_f32(*pair.get(i).unwrap_or(&0.0)).to_bits();
                    *word = u32::from(bits(0)) | u32::from(bits(1)) << 16;
                }
            }
        }
        Precision::Int8 => {
            let scales = scales.expect("an int8 weight has scales").host_mut();
            let rows = x.chunks_exact(inputs).zip(words.chunks_exact_mut(per_row)).zip(scales);
            for ((row, out), scale) in rows {
                let bytes: &mut [i8] = bytemuck::cast_slice_mut(out);
                *scale = int8_row(row, bytes);
            }
        }
    }
}

/// Packs a weight as panels of the CPU device.
pub(crate) fn pack_panels(
    precision: Precision,
    values: &Matrix,
    cut: Cut,
    (words, scales): (&mut Tensor, Option<&mut Tensor>),
) {
    let words = words.host_mut();
    match precision {
        Precision::F32 => into_panels(values.data(), cut, words),
        Precision::F16 => {
            let bits: Vec<u16> =
                values.data().iter().map(|v| f16::from_f32(*v).to_bits()).collect();
            into_panels(&bits, cut, &mut bytemuck::cast_slice_mut(words)[..cut.len()]);
        }
        Precision::Int8 => {
            let (integers, each) = int8_rows(values);
            scales.expect("an int8 weight has scales").host_mut().copy_from_slice(&each);
            into_panels(&integers, cut, &mut bytemuck::cast_slice_mut(words)[..cut.len()]);
        }
    }
}

fn into_panels<T: Copy + Default + Send + Sync>(rows: &[T], cut: Cut, panels: &mut [T]) {
    let weight = Operand::new(rows, cut.columns, cut.depth);
    panels::pack(weight.transposed(), cut, panels, Threads::All);
}

/// Rounds a row to integers and returns its scale: the largest magnitude over 127.
fn int8_row(row: &[f32], out: &mut [i8]) -> f32 {
    let largest = row.iter().fold(0.0f32, |a, v| a.max(v.abs()));
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    out.iter_mut().zip(row).for_each(|(o, v)| *o = (v * inverse).round() as i8);
    largest / 127.0
}

/// A matrix as 8-bit integers, row after row, and one scale a row.
pub(crate) fn int8_rows(x: &Matrix) -> (Vec<i8>, Vec<f32>) {
    let mut integers = vec![0; x.data().len()];
    let rows = x.iter_rows().zip(integers.chunks_exact_mut(x.cols().max(1)));
    let scales = rows.map(|(row, out)| int8_row(row, out)).collect();
    (integers, scales)
}

/// The f32 values of a packed row; the row may hold one more.
fn unpack_f16(words: &[f32], values: &mut [f32]) {
    let halves: &[u16] = bytemuck::cast_slice(words);
    halves[..values.len()].reinterpret_cast::<f16>().convert_to_f32_slice(values);
}

/// The f32 values of one packed row; the scale is for int8.
pub(crate) fn unpack_row(precision: Precision, words: &[u32], scale: f32, row: &mut [f32]) {
    match precision {
        Precision::F32 => row.copy_from_slice(bytemuck::cast_slice(words)),
        Precision::F16 => unpack_f16(bytemuck::cast_slice(words), row),
        Precision::Int8 => {
            let bytes: &[i8] = bytemuck::cast_slice(words);
            row.iter_mut().zip(bytes).for_each(|(y, v)| *y = f32::from(*v) * scale);
        }
    }
}

/// The f32 values of a weight of the CPU device.
pub(crate) fn unpack_rows(weight: WeightRef<'_>, y: &mut [f32]) {
    let per_row = weight.words.cols();
    let words = weight.words.host_words();
    // Tensors stay out of the closure: in the browser they cannot be shared between threads.
    let (precision, inputs) = (weight.precision, weight.inputs);
    let scales = weight.scales.map(Tensor::host);
    par_rows(y, inputs, |first, y| {
        let words = words[first * per_row..].chunks_exact(per_row);
        for (i, (row, words)) in y.chunks_exact_mut(inputs).zip(words).enumerate() {
            let scale = scales.map_or(1.0, |scales| scales[first + i]);
            unpack_row(precision, words, scale, row);
        }
    });
}
