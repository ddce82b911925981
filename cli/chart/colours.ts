// A ramp of colours for a figure: dark to light in even steps of lightness, for any colour vision (viridis, Smith and van
// der Walt 2015, at nine points).
const ramp = [
  '#440154',
  '#472d7b',
  '#3b528b',
  '#2c728e',
  '#21918c',
  '#28ae80',
  '#5ec962',
  '#addc30',
  '#fde725',
] as const

/** The colour of a share from 0 to 1. */
export function rampColour(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (ramp.length - 1)
  const i = Math.min(ramp.length - 2, Math.floor(at))
  const [from, to] = [rgb(ramp[i] as string), rgb(ramp[i + 1] as string)]
  const mixed = from.map((c, k) => Math.round(c + ((to[k] as number) - c) * (at - i)))
  return `rgb(${mixed.join(',')})`
}

function rgb(hex: string): number[] {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16))
}
