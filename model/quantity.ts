// Quantities as people type them: 128k tokens, int4:group=64. The only parser of them; printing has its own place.
import { type Format, type FormatName, format, formatNames } from './format.ts'
import { nearestHint } from './nearest.ts'

const factors: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** Tokens, with the field's suffixes: `128k` is 131072, `1M` is 2^20. NaN where it is no number. */
export function parseTokens(text: string): number {
  const match = /^((?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:e[0-9]+)?)([kmg]?)$/i.exec(text.trim())
  if (!match) return Number.NaN
  return Number(match[1]) * (factors[(match[2] ?? '').toLowerCase()] ?? Number.NaN)
}

/**
 * A format by name with its options: `int4:group=64,scale=16,zero=16` (bits per group), `nuq4:outliers=0.0045` (share of
 * the weights kept aside). Throws RangeError.
 */
export function parseFormat(text: string): Format {
  const [name = '', list] = text.split(/:(.*)/s)
  if (!(formatNames as string[]).includes(name)) {
    const hint = nearestHint(name, formatNames)
    throw new RangeError(`expected a format (${formatNames.join(', ')}), got ${name}${hint}`)
  }
  const base = format(name as FormatName)
  return list === undefined ? base : withGroup(base, list)
}

function withGroup(base: Format, list: string): Format {
  const given: Record<string, number> = {}
  for (const pair of list.split(',')) {
    const [key = '', text = ''] = pair.split('=')
    const value = Number(text)
    if (key === 'outliers' && base.name.startsWith('nuq')) {
      if (!(value >= 0 && value < 1))
        throw new RangeError(`${base.name}: expected outliers from 0 to below 1, got ${text}`)
      given[key] = value
      continue
    }
    const least = key === 'group' ? 1 : 0
    if (!['group', 'scale', 'zero'].includes(key) || text === '' || !Number.isInteger(value) || value < least) {
      throw new RangeError(`${base.name}: expected group=N, scale=BITS or zero=BITS, got ${pair}`)
    }
    given[key] = value
  }
  if (base.groupBits === 0 && given.group !== undefined && given.scale === undefined) {
    throw new RangeError(`${base.name}: it has no scales to group; expected scale=BITS beside group=${given.group}`)
  }
  const groupBits = (given.scale ?? base.groupBits) + (given.zero ?? 0)
  const group = given.group ?? base.group
  const { outliers = 0 } = given
  return { ...base, groupBits, ...(group !== undefined && { group }), ...(outliers > 0 && { outliers }) }
}

/** The format as it would be typed. */
export function formatLabel(f: Format): string {
  const base = format(f.name as FormatName)
  const options: string[] = []
  if (f.group !== base?.group) options.push(`group=${f.group}`)
  if (f.group !== base?.group || f.groupBits !== base?.groupBits) options.push(`scale=${f.groupBits}`)
  if (f.outliers !== undefined) options.push(`outliers=${f.outliers}`)
  return options.length === 0 ? f.name : `${f.name}:${options.join()}`
}

const decimal: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 }
const binary: Readonly<Record<string, number>> = { ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30, ti: 2 ** 40 }

/** A figure of a machine with or without its unit: `3.35TB/s`, `80GiB`, `989 TFLOP/s`, `2e12`. NaN where it is none. */
export function parseFigure(text: string): number {
  const match = /^([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([kmgtp]?i?)((?:B|FLOPS?|OPS?|W|Hz)(?:\/s)?)?$/i.exec(
    text.trim(),
  )
  if (!match) return Number.NaN
  const prefix = (match[2] ?? '').toLowerCase()
  return Number(match[1]) * (decimal[prefix] ?? binary[prefix] ?? Number.NaN)
}
