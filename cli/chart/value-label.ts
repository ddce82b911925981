// What a value of a parameter is called, in tables and on axes.
import * as units from '../units.ts'

const tokenNames = /^(context|past|shared|fixed|source|new_tokens|new-tokens)$|\.tokens$/

/** Tokens as people write them: 1k is 1024, 1M 2^20. */
export function tokenLabel(value: number): string {
  if (value >= 2 ** 20 && value % 2 ** 18 === 0) return `${value / 2 ** 20}M`
  return value >= 1024 && value % 256 === 0 ? `${value / 1024}k` : String(value)
}

/** A value of the parameter with this name. */
export function valueLabel(name: string, value: number | string): string {
  if (typeof value === 'string') return value
  if (tokenNames.test(name)) return tokenLabel(value)
  if (name === 'bandwidth' || name === 'link') return units.bandwidth(value)
  if (name === 'capacity') return units.binaryBytes(value)
  return name === 'peak' ? units.flopRate(value) : units.plain(value)
}
