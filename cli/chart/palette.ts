// Colours that people with any colour vision tell apart (Okabe and Ito 2008), dark enough on white, in a fixed order.
export const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#6a3d9a', '#7f7f7f'] as const

/** The colour of the nth thing. */
export function colour(n: number): string {
  return palette[n % palette.length] as string
}

/** A colour with an opacity, 0 to 1. */
export function translucent(hex: string, opacity: number): string {
  const alpha = Math.round(opacity * 255)
  return `${hex}${alpha.toString(16).padStart(2, '0')}`
}

/** A colour mixed with white, `share` of it left. */
export function paler(hex: string, share: number): string {
  const mixed = [1, 3, 5].map((i) => Math.round(255 + (Number.parseInt(hex.slice(i, i + 2), 16) - 255) * share))
  return `rgb(${mixed.join(',')})`
}
