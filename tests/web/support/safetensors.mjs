// The one tensor of a safetensors file of vectors, in f32.

import { readFileSync } from 'node:fs';

/** `{ rows, cols, data }` of the tensor `name`, stored in F32. */
export function readTensor(path, name = 'vectors') {
  const file = readFileSync(path);
  const header = Number(file.readBigUInt64LE(0));
  const { dtype, shape, data_offsets: at } = JSON.parse(file.subarray(8, 8 + header))[name];
  if (dtype !== 'F32') throw new Error(`${path}: ${name} is stored in ${dtype}`);
  // Copied: a view of floats must begin at a multiple of four.
  const bytes = Uint8Array.from(file.subarray(8 + header + at[0], 8 + header + at[1]));
  return { rows: shape[0], cols: shape[1], data: new Float32Array(bytes.buffer) };
}

/** The largest difference of two arrays, and the largest magnitude of the second. */
export function compare(values, reference) {
  if (values.length !== reference.length) {
    throw new Error(`${values.length} values beside ${reference.length}`);
  }
  let difference = 0;
  let magnitude = 0;
  values.forEach((value, i) => {
    const apart = Math.abs(value - reference[i]);
    // Not a number is as far apart as can be.
    difference = Number.isNaN(apart) ? Infinity : Math.max(difference, apart);
    magnitude = Math.max(magnitude, Math.abs(reference[i]));
  });
  return { difference, magnitude };
}

/** Cosines of the rows of two arrays of vectors `cols` wide. */
export function cosines(a, b, cols) {
  const dot = (x, y, at) => {
    let sum = 0;
    for (let i = at; i < at + cols; i += 1) sum += x[i] * y[i];
    return sum;
  };
  return Array.from({ length: a.length / cols }, (_, row) => {
    const at = row * cols;
    return dot(a, b, at) / Math.sqrt(dot(a, a, at) * dot(b, b, at));
  });
}
