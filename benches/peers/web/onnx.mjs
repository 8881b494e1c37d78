// The plain student 384 -> S -> 192 -> S -> 384 as an ONNX file, written by hand: protobuf needs
// few lines where there are four linear layers and two gelus.
//
// Field numbers are those of onnx.proto3 (IR version 9, operator set 20, the first with Gelu).

const LAYERS = ['input_proj', 'compression', 'expansion', 'teacher_align'];

const text = (words) => new TextEncoder().encode(words);

function varint(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value = Math.floor(value / 128);
  } while (value > 0);
  return Uint8Array.from(bytes);
}

function join(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A field of bytes, a string or a message inside; a number otherwise. */
function field(number, value) {
  if (typeof value === 'number') return join([varint(number * 8), varint(value)]);
  const bytes = typeof value === 'string' ? text(value) : value;
  return join([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** FLOAT = 1; dims, data_type, name, raw_data. */
function tensor(name, dims, values) {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return join([...dims.map((d) => field(1, d)), field(2, 1), field(8, name), field(9, raw)]);
}

/** An input or output of shape n × width. */
function value(name, width) {
  const shape = join([field(1, field(2, 'n')), field(1, field(1, width))]);
  return join([field(1, name), field(2, field(1, join([field(1, 1), field(2, shape)])))]);
}

/** A node; attributes are whole numbers (INT = 2). */
function node(operator, inputs, output, attributes = {}) {
  const attribute = ([name, number]) =>
    field(5, join([field(1, name), field(3, number), field(20, 2)]));
  return join([
    ...inputs.map((input) => field(1, input)),
    field(2, output),
    field(4, operator),
    ...Object.entries(attributes).map(attribute),
  ]);
}

/** The bytes of the model: `x` (n × 384) to `y` (n × 384). `random` gives numbers in ±1. */
export function studentModel(width, random) {
  const widths = [384, width, 192, width, 384];
  const nodes = [];
  const weights = [];
  let from = 'x';
  LAYERS.forEach((layer, i) => {
    const [inputs, outputs] = [widths[i], widths[i + 1]];
    const bound = 1 / Math.sqrt(inputs);
    const numbers = (count) => Float32Array.from({ length: count }, () => random() * bound);
    weights.push(tensor(`${layer}.weight`, [outputs, inputs], numbers(outputs * inputs)));
    weights.push(tensor(`${layer}.bias`, [outputs], numbers(outputs)));
    const linear = i === 3 ? 'y' : `${layer}.out`;
    const inputsOf = [from, `${layer}.weight`, `${layer}.bias`];
    nodes.push(node('Gemm', inputsOf, linear, { transB: 1 }));
    from = linear;
    if (i === 0 || i === 2) {
      nodes.push(node('Gelu', [linear], `${layer}.gelu`));
      from = `${layer}.gelu`;
    }
  });
  const graph = join([
    ...nodes.map((n) => field(1, n)),
    field(2, 'student'),
    ...weights.map((w) => field(5, w)),
    field(11, value('x', 384)),
    field(12, value('y', 384)),
  ]);
  return join([field(1, 9), field(7, graph), field(8, field(2, 20))]);
}
