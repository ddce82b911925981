// What split attention kernels share: the keys cut into chunks that workgroups take, and the merge of their parts by
// logsumexp (FlashDecoding). A part is a row of unnormalized outputs, its maximum in base 2 and its sum.
import type { Launch, Tensor } from '../kernel.ts'
import { bindings, each, groupIndex, spread } from '../webgpu/wgsl.ts'
import { longestRun } from './attention-reference.ts'

/** Rows of parts: `outputs` rows of `dim` outputs, each in `splits` parts. */
export interface Parts {
  readonly outputs: number
  readonly splits: number
  readonly dim: number
  readonly bits: number
  /** Rows have as many parts as their unit's count of keys fills chunks: `counts`, for `rows` rows each. */
  readonly listed?: { readonly chunk: number; readonly rows: number }
}

/** A part's row: its outputs, then maximum and sum. */
export function partRow(dim: number): number {
  return dim + 2
}

export function partsTensor({ outputs, splits, dim }: Parts): Tensor {
  return { name: 'parts', elements: outputs * splits * partRow(dim), type: 'fp32', use: 'scratch' }
}

/**
 * Splits of `tokens` keys so that `units` sequences of work become about `groups` workgroups, each a whole number of
 * `steps` keys.
 */
export function splitsOf(
  tokens: number,
  units: number,
  groups: number,
  steps: number,
): { splits: number; chunk: number } {
  const wanted = Math.max(1, Math.round(groups / units))
  const most = Math.ceil(tokens / steps)
  const least = Math.ceil(tokens / longestRun)
  const splits = Math.max(least, Math.min(wanted, most))
  const chunk = Math.ceil(tokens / splits / steps) * steps
  return { splits: Math.ceil(tokens / chunk), chunk }
}

/** Merges the parts of each row into `output`, one workgroup for each row. */
export function mergeLaunch(parts: Parts): Launch {
  const { outputs, listed } = parts
  const buffers = ['parts', 'output', ...(listed ? ['counts'] : [])]
  return { source: mergeSource(parts), buffers, groups: spread(outputs) }
}

const mergeLanes = 256

/** Lanes take two outputs each of every so many parts, and then join them. */
function mergeSource({ outputs, splits, dim, bits, listed }: Parts): string {
  const row = partRow(dim)
  const lanes = mergeLanes
  const pairs = dim / 2
  const ways = Math.max(1, 2 ** Math.floor(Math.log2(lanes / pairs)))
  return `${bindings([
    ['parts', 'array<f32>'],
    ['output', bits === 32 ? 'array<vec2f>' : 'array<u32>', true],
    ...(listed ? ([['counts', 'array<u32>']] as const) : []),
  ])}
var<workgroup> tops: array<f32, ${lanes}>;
var<workgroup> sums: array<vec3f, ${ways * pairs}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let number = min(${groupIndex(outputs)}, ${outputs - 1}u);
  let first = number * ${splits * row}u;
  let splits = ${listed ? `(counts[number / ${listed.rows}u] + ${listed.chunk - 1}u) / ${listed.chunk}u` : `${splits}u`};
  var top = -1e30;
  for (var s = lane; s < splits; s += ${lanes}u) { top = max(top, parts[first + s * ${row}u + ${dim}u]); }
  tops[lane] = top;
  workgroupBarrier();
${each(Math.log2(lanes), (i) => {
  const stride = lanes >> (i + 1)
  return `if (lane < ${stride}u) { tops[lane] = max(tops[lane], tops[lane + ${stride}u]); }\nworkgroupBarrier();`
})}
  top = tops[0];
  for (var i = lane; i < ${ways * pairs}u; i += ${lanes}u) {
    let pair = i % ${pairs}u;
    var sum = vec3f();
    for (var s = i / ${pairs}u; s < splits; s += ${ways}u) {
      let at = first + s * ${row}u;
      let weight = exp2(parts[at + ${dim}u] - top);
      sum = fma(vec3f(weight), vec3f(parts[at + 2u * pair], parts[at + 2u * pair + 1u], parts[at + ${dim + 1}u]), sum);
    }
    sums[i] = sum;
  }
  workgroupBarrier();
  for (var pair = lane; pair < ${pairs}u; pair += ${lanes}u) {
    var sum = sums[pair];
    for (var w = 1u; w < ${ways}u; w++) { sum += sums[pair + w * ${pairs}u]; }
    output[number * ${pairs}u + pair] = ${bits === 32 ? 'sum.xy / sum.z' : 'pack2x16float(sum.xy / sum.z)'};
  }
}
`
}
