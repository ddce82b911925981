// The program that makes inputs on the device: input.ts in WGSL, bit for bit. Each invocation makes words of one single
// or of two halves.
import { type ElementType, elementBytes, type Fill } from '../input.ts'

const workgroup = 256
/** Words that one invocation makes; with the most workgroups of one dimension this reaches 2^32 elements. */
const wordsEach = 4
const widest = 65535

/** The numbers that the program is given: first element, words, kind, seed, outlier mask, scale, and two of the kind's. */
export const fillArguments = 8

const kinds = { normal: 0, positive: 1, bits: 2, word: 3, affine: 4, index: 5, sparse: 6 } as const

export function fillSource(type: ElementType): string {
  const two = type === 'fp16'
  return `struct Arguments { first: u32, words: u32, kind: u32, seed: u32, rare: u32, scale: f32, word: u32, stride: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> a: Arguments;

fn hash(seed: u32, index: u32) -> u32 {
  var z = index ^ (seed * 0x9e3779b9u);
  z ^= z >> 17u; z *= 0xed5ad4bbu;
  z ^= z >> 11u; z *= 0xac4c1b51u;
  return z ^ (z >> 15u);
}

fn element(index: u32) -> f32 {
  let h = hash(a.seed, index);
  if (a.kind == ${kinds.positive}u) { return f32(256u + (h & 511u)) * a.scale; }
  if (a.kind == ${kinds.affine}u) { return f32(256u + (h & 511u)) * select(a.scale, -4.0 * a.scale, (index & 1u) == 1u); }
  var sum = f32((h & 255u) + ((h >> 8u) & 255u) + ((h >> 16u) & 255u) + (h >> 24u)) - 510.0;
  if (a.rare != 0u && (hash(a.seed ^ 0x5eedu, index) & (a.rare - 1u)) == 0u) { sum *= 16.0; }
  return sum * a.scale;
}

@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = id.y * groups.x * ${workgroup}u + id.x;
  for (var i = 0u; i < ${wordsEach}u; i++) {
    let word = lane + i * groups.x * groups.y * ${workgroup}u;
    if (word >= a.words) { return; }
    if (a.kind == ${kinds.word}u) { out[word] = a.word; continue; }
    let index = a.first + word${two ? ' * 2u' : ''};
    if (a.kind == ${kinds.bits}u) { out[word] = hash(a.seed, index); continue; }
    if (a.kind == ${kinds.index}u) { out[word] = a.stride + hash(a.seed, index) % a.word; continue; }
    if (a.kind == ${kinds.sparse}u) {
      let h = hash(a.seed ^ 0x7a1eu, index);
      let value = f32(256u + (h & 511u)) * select(a.scale, -a.scale, (h & 512u) != 0u);
      out[word] = pack2x16float(vec2f(0.0, value)) | ((index % a.word) * a.stride + hash(a.seed, index) % a.stride);
      continue;
    }
    out[word] = ${two ? 'pack2x16float(vec2f(element(index), element(index + 1u)))' : 'bitcast<u32>(element(index))'};
  }
}
`
}

/** The program's arguments and its workgroups, for elements from number `first` on. */
export function fillLaunch(
  type: ElementType,
  elements: number,
  fill: Exclude<Fill, { kind: 'values' }>,
  first: number,
) {
  const words = Math.ceil((elements * elementBytes[type]) / 4)
  const args = new Uint32Array(fillArguments)
  args[0] = first
  args[1] = words
  args[2] = kinds[fill.kind]
  if (fill.kind === 'word') args[6] = fill.word
  else args[3] = fill.seed
  if (fill.kind === 'normal' && fill.outliers !== undefined) args[4] = 2 ** fill.outliers
  if (fill.kind === 'index') args.set([fill.below, fill.least ?? 0], 6)
  if (fill.kind === 'sparse') args.set([fill.each, fill.stride], 6)
  if (fill.kind !== 'bits' && fill.kind !== 'word' && fill.kind !== 'index')
    new Float32Array(args.buffer)[5] = 2 ** ((fill.scale ?? 0) - 8)
  const all = Math.ceil(words / (workgroup * wordsEach))
  const x = Math.min(widest, all)
  return { args, groups: [x, Math.ceil(all / x), 1] as const }
}
