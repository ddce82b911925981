// Whether a kernel computed what it should: outputs are poisoned before, every element must be written, and stretches are
// held against the f64 reference.
import { seeded } from '../model/random.ts'
import type { Backend } from './backend.ts'
import { halfValue } from './half.ts'
import { type ElementType, elementBytes, poison } from './input.ts'
import type { Problem, Tensor } from './kernel.ts'

/** Error and tolerance at the worst element: the one nearest to, or farthest over, its tolerance. */
export interface Verdict {
  readonly checked: boolean
  readonly maxError: number
  readonly tolerance: number
  /** What is wrong, where it is not as it should be. */
  readonly fault?: string
}

/** Bytes that are downloaded and searched at once. */
const slice = 1 << 28

/** Checks the outputs of a run over poisoned buffers. `seed` picks what is compared where not all is. */
export async function checked<B>(
  backend: Backend<B>,
  problem: Problem,
  bufferOf: (tensor: string) => B,
  seed = 1,
): Promise<Verdict> {
  const outputs = problem.tensors.filter((t) => t.use === 'output')
  for (const tensor of outputs) {
    if (tensor.partial) continue
    const at = await unwritten(backend, bufferOf(tensor.name), tensor)
    if (at !== undefined) {
      return fault(`${tensor.name}[${at}] was not written`)
    }
  }
  const words: Record<string, Uint32Array> = {}
  if (problem.verify || problem.following) {
    for (const t of outputs) {
      const bytes = Math.ceil((t.elements * elementBytes[t.type]) / 4) * 4
      words[t.name] = new Uint32Array(await backend.download(bufferOf(t.name), 0, bytes))
    }
    const wrong = problem.verify?.(words)
    if (wrong !== undefined) return fault(wrong)
  }
  const random = seeded(seed)
  const expectations = [...problem.expectations(random), ...(problem.following?.(words, random) ?? [])]
  let worst: Verdict = { checked: true, maxError: 0, tolerance: 0 }
  let most = -1
  for (const { tensor, offset, values, tolerances } of expectations) {
    const { type } = problem.tensors.find((t) => t.name === tensor) as Tensor
    const width = elementBytes[type]
    const got = numbers(await backend.download(bufferOf(tensor), offset * width, values.length * width), type)
    for (let i = 0; i < values.length; i++) {
      const expected = values[i] as number
      const tolerance = tolerances[i] as number
      const error = Math.abs((got[i] as number) - expected)
      const share = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error === 0 ? 0 : error / tolerance
      if (share <= most) continue
      most = share
      worst = { checked: share <= 1, maxError: error, tolerance }
      if (share > 1) {
        worst = { ...worst, fault: `${tensor}[${offset + i}]: expected ${expected} within ${tolerance}, got ${got[i]}` }
      }
    }
  }
  return worst
}

function fault(text: string): Verdict {
  return { checked: false, maxError: Number.POSITIVE_INFINITY, tolerance: 0, fault: text }
}

/** The first element that still holds the poison. */
async function unwritten<B>(backend: Backend<B>, buffer: B, tensor: Tensor): Promise<number | undefined> {
  const width = elementBytes[tensor.type]
  const bytes = tensor.elements * width
  for (let at = 0; at < bytes; at += slice) {
    const part = await backend.download(buffer, at, Math.min(slice, bytes - at))
    const values = width === 2 ? new Uint16Array(part) : new Uint32Array(part)
    const found = values.indexOf(width === 2 ? poison & 0xffff : poison)
    if (found >= 0) return at / width + found
  }
  return undefined
}

/** Stored elements as numbers. */
export function numbers(bytes: ArrayBuffer, type: ElementType): ArrayLike<number> {
  if (type === 'fp32') return new Float32Array(bytes)
  if (type === 'u32') return new Uint32Array(bytes)
  return Float64Array.from(new Uint16Array(bytes), halfValue)
}
