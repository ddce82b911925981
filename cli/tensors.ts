// The tensors that `quantize` and `cluster` work on: a safetensors file, or `synthetic` with its own options.

import { type KvSource, parts, type Rope, tokenBlocks } from '../model/tensor/source.ts'
import {
  type Structure,
  type SyntheticOptions,
  structures,
  synthetic,
  syntheticDefaults,
} from '../model/tensor/synthetic.ts'
import { type NotFinite, notFinite } from '../model/tensor/tensor.ts'
import { FileError, UsageError } from './errors.ts'
import { choice, count, listOf, number } from './options.ts'
import type { Progress } from './progress.ts'

const defaults = syntheticDefaults

/** Options of the commands that take tensors. */
export const tensorOptions = {
  rope: [
    '--rope <state>',
    'keys and queries in FILE: pre, not rotated yet; post, rotated; none (default)',
    choice('--rope', ['pre', 'post', 'none']),
  ],
  theta: ['--rope-theta <theta>', 'base of the rotation', number('--rope-theta', { above: 1 })],
  tokens: ['--tokens <n>', `synthetic: tokens (default: ${defaults.tokens})`, count('--tokens')],
  layers: ['--layers <n>', `synthetic: layers (default: ${defaults.layers})`, count('--layers')],
  heads: ['--heads <n>', `synthetic: heads of keys and values (default: ${defaults.heads})`, count('--heads')],
  headDim: ['--head-dim <n>', `synthetic: channels of a head (default: ${defaults.headDim})`, count('--head-dim')],
  seed: ['--seed <n>', `synthetic: seed (default: ${defaults.seed})`, count('--seed', 0)],
  without: [
    '--without <structures>',
    `synthetic: leave out of ${structures.join(', ')}`,
    listOf('--without', structures),
  ],
} as const

export interface TensorFlags {
  readonly rope?: 'pre' | 'post' | 'none' | undefined
  readonly ropeTheta?: number | undefined
  readonly tokens?: number | undefined
  readonly layers?: number | undefined
  readonly heads?: number | undefined
  readonly headDim?: number | undefined
  readonly seed?: number | undefined
  readonly without?: readonly Structure[] | undefined
}

export interface Opened {
  readonly source: KvSource
  /** What the user should know of the input. */
  readonly warnings: readonly string[]
  close(): void
}

/** Help for the argument of both commands. */
export const tensorHelp = `
FILE is a safetensors file with layers.N.key and layers.N.value, as wanted with
layers.N.query (of all or of the last tokens), layers.N.key_fisher and
layers.N.value_fisher; each [tokens, heads, head_dim] in F32, F16 or BF16. Or
\`synthetic\`: tensors made from --seed with the structure that papers report.`

/** Opens FILE or makes the synthetic source; refuses options of the other. `more` are further synthetic options. */
export async function openTensors(file: string, flags: TensorFlags, more: SyntheticOptions = {}): Promise<Opened> {
  const own = { tokens: flags.tokens, layers: flags.layers, heads: flags.heads, headDim: flags.headDim }
  const given = { ...own, seed: flags.seed, without: flags.without }
  if (file === 'synthetic') {
    if (flags.rope !== undefined) throw new UsageError('--rope: synthetic tensors have their own; expected a file')
    const theta = flags.ropeTheta
    const known = Object.fromEntries(Object.entries({ ...given, theta }).filter(([, value]) => value !== undefined))
    return { source: synthetic({ ...more, ...known }), warnings: [], close: () => {} }
  }
  const odd = Object.entries(given).find(([, value]) => value !== undefined)
  if (odd !== undefined) throw new UsageError(`--${kebab(odd[0])}: expected \`synthetic\` in place of ${file}`)
  const rope = ropeOf(flags)
  const { openTensorFile } = await import('./tensor-file.ts')
  const { close, ignored, ...source } = openTensorFile(file)
  return { source: { ...source, ...(rope && { rope }) }, warnings: ignoredWarning(ignored), close }
}

function ropeOf({ rope = 'none', ropeTheta }: TensorFlags): Rope | undefined {
  if (rope === 'none') {
    if (ropeTheta !== undefined) throw new UsageError('--rope-theta: expected --rope pre or --rope post beside it')
    return undefined
  }
  if (ropeTheta === undefined) throw new UsageError(`--rope ${rope}: expected --rope-theta beside it, such as 10000`)
  return { keys: rope, theta: ropeTheta }
}

function ignoredWarning(ignored: readonly string[]): string[] {
  if (ignored.length === 0) return []
  const more = ignored.length > 3 ? ` and ${ignored.length - 3} more` : ''
  return [`not used from the file: ${ignored.slice(0, 3).join(', ')}${more}`]
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Reads everything once. Throws FileError with the count of what is not finite and the place of the first, or of
 * weights below 0. */
export async function checkFinite(source: KvSource, progress: Progress): Promise<void> {
  for (const layer of source.layers) {
    for (const part of parts) {
      const shape = layer[part]
      if (shape === undefined) continue
      let sum: NotFinite | undefined
      let negative = 0
      for (const range of tokenBlocks(shape)) {
        const block = layer.read(part, range)
        const found = notFinite(block, range[0])
        if (found) sum = sum === undefined ? found : added(sum, found)
        if (part.endsWith('fisher')) negative += block.data.reduce((n, x) => (x < 0 ? n + 1 : n), 0)
        await progress.step(`checking layer ${layer.layer}`)
      }
      const place = `${source.name}: layers.${layer.layer}.${part}`
      if (sum) throw new FileError(`${place}: ${oddNumbers(sum)}`)
      if (negative > 0) throw new FileError(`${place}: expected weights from 0, got ${negative} below`)
    }
  }
}

function added(sum: NotFinite, { nan, infinite }: NotFinite): NotFinite {
  return { ...sum, nan: sum.nan + nan, infinite: sum.infinite + infinite }
}

function oddNumbers({ nan, infinite, token, head, channel }: NotFinite): string {
  const what = [nan > 0 ? `${nan} NaN` : '', infinite > 0 ? `${infinite} infinite` : ''].filter((x) => x !== '')
  return `expected finite numbers, got ${what.join(' and ')}; the first at token ${token}, head ${head}, channel ${channel}`
}
