// Reads and runs a student of lnsp in plain JavaScript, in a browser or in Node.
//
//   import { Student } from "./student.mjs";
//   const student = await Student.load("student.safetensors");
//   const latent = student.encode(vector);      // Float32Array of the latent's width
//   const vector2 = student.decode(latent);

/** A student: the teacher's vectors to latents and back, one vector at a time. */
export class Student {
  #tensors;
  #steps;
  #half;

  /** From where the page finds the file; any address that fetch takes. */
  static async load(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    return new Student(await response.arrayBuffer());
  }

  /** From the bytes of the file, an ArrayBuffer. */
  constructor(buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const described = header.__metadata__?.lnsp;
    if (!described) throw new Error("no student: its description is missing");
    /** What the file says about itself: architecture, teacher, training set, metrics. */
    this.info = JSON.parse(described);
    const { widths, activation, variant } = this.info.arch;
    this.#tensors = (name) => values(header, buffer, 8 + length, name);
    const names = layerNames(widths);
    const latent = names.indexOf("compression");
    this.#steps = names.flatMap((name, i) => {
      const linear = i === latent || i === names.length - 1;
      const steps = [this.#linear(name, linear ? null : activation)];
      if (variant !== "sn727") return steps;
      steps.unshift(this.#norm(`${name}_norm`));
      if (i === latent) steps.push(this.#attention());
      if (i === names.length - 1) steps.push(this.#norm("output_norm"));
      return steps;
    });
    this.#half = (latent + 1) * (variant === "sn727" ? 2 : 1) + (variant === "sn727" ? 1 : 0);
    this.input = widths[0];
    this.latent = widths[latent + 1];
    this.output = widths.at(-1);
  }

  /** The latent of a vector. */
  encode(vector) {
    return run(this.#steps.slice(0, this.#half), vector, this.input);
  }

  /** The vector of a latent. */
  decode(latent) {
    return run(this.#steps.slice(this.#half), latent, this.latent);
  }

  #linear(name, activation, rows = [0, Infinity]) {
    let weight = this.#tensors(`${name}.weight`);
    let bias = this.#tensors(`${name}.bias`);
    const inputs = weight.length / bias.length;
    weight = weight.subarray(rows[0] * inputs, rows[1] * inputs);
    bias = bias.subarray(...rows);
    const act = { gelu, relu: (x) => Math.max(x, 0) }[activation] ?? ((x) => x);
    return (x) =>
      bias.map((shift, row) => {
        let sum = shift;
        for (let i = 0, at = row * inputs; i < inputs; i++) sum += x[i] * weight[at + i];
        return act(sum);
      });
  }

  #norm(name) {
    const scale = this.#tensors(`${name}.weight`);
    const shift = this.#tensors(`${name}.bias`);
    return (x) => {
      const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
      const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
      const inverse = 1 / Math.sqrt(variance + 1e-5);
      return x.map((v, i) => (v - mean) * inverse * scale[i] + shift[i]);
    };
  }

  // With one token the softmax is 1: what is attended to is the value projection.
  #attention() {
    const width = this.#tensors("attention.out.bias").length;
    const value = this.#linear("attention.qkv", null, [2 * width, 3 * width]);
    const out = this.#linear("attention.out", null);
    return (x) => out(value(x)).map((v, i) => v + x[i]);
  }
}

function run(steps, vector, width) {
  if (vector.length !== width) {
    throw new RangeError(`${vector.length} values where the student takes ${width}`);
  }
  return steps.reduce((x, step) => step(x), Float32Array.from(vector));
}

// The latent is the narrowest inner width, the one nearest to the middle if several are.
function layerNames(widths) {
  const last = widths.length - 1;
  const off = (i) => Math.abs(2 * i - last);
  let latent = 1;
  for (let i = 2; i < last; i++) {
    const narrower = widths[i] - widths[latent] || off(i) - off(latent);
    if (narrower < 0) latent = i;
  }
  return Array.from({ length: last }, (_, i) => {
    if (i === latent - 1) return "compression";
    if (i === last - 1) return "teacher_align";
    if (i === 0) return "input_proj";
    if (i === latent) return "expansion";
    return i < latent ? `encoder_${i}` : `decoder_${i - latent}`;
  });
}

/** A tensor in f32; f16 is widened, int8 multiplied by the scale of its row. */
function values(header, buffer, begin, name) {
  const info = header[name];
  if (!info) throw new Error(`the tensor ${name} is missing`);
  const [from, to] = info.data_offsets;
  const bytes = buffer.slice(begin + from, begin + to);
  if (info.dtype === "F32") return new Float32Array(bytes);
  if (info.dtype === "F16") return Float32Array.from(new Uint16Array(bytes), widen);
  if (info.dtype !== "I8") throw new Error(`${name} is of type ${info.dtype}`);
  const scales = values(header, buffer, begin, `${name}.scale`);
  const width = info.shape[1];
  return Float32Array.from(new Int8Array(bytes), (v, i) => v * scales[Math.floor(i / width)]);
}

function widen(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

// erf as the shaders of lnsp have it: a rational fit on |x| <= 4.
const P = [1.128379, 0.19623377, 0.05346543, 0.0040029814, 0.00028802387, 1.9749112e-6];
const Q = [1, 0.5072388, 0.1164701, 0.015443098, 0.0012161938, 3.748079e-5];

function gelu(x) {
  const z = Math.max(-4, Math.min(4, x * Math.SQRT1_2));
  const horner = (c) => c.reduceRight((sum, v) => sum * z * z + v, 0);
  const erf = Math.max(-1, Math.min(1, (z * horner(P)) / horner(Q)));
  return 0.5 * x * (1 + erf);
}
