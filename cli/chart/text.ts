// Text on a chart.
import { Chart } from 'chart.js'
import { type Context, ink } from './canvas.ts'

export interface TextStyle {
  readonly size?: number
  readonly bold?: boolean
  readonly colour?: string
  readonly align?: 'left' | 'right' | 'center'
  /** A white rim, which keeps text readable on lines. */
  readonly rim?: true
  /** Pixels that it may take: longer text is cut. */
  readonly most?: number
}

function setFont(ctx: Context, { size = 14, bold = false }: TextStyle): void {
  ctx.font = `${bold ? 'bold ' : ''}${size}px "${Chart.defaults.font.family}"`
}

/** Pixels that a text takes. */
export function measure(ctx: Context, text: string, style: TextStyle = {}): number {
  setFont(ctx, style)
  return ctx.measureText(text).width
}

/** Writes text with its middle at `y`, and returns the pixels that it takes. */
export function write(ctx: Context, text: string, x: number, y: number, style: TextStyle = {}): number {
  const shown = style.most === undefined ? text : shorten(ctx, text, style.most, style)
  setFont(ctx, style)
  ctx.textAlign = style.align ?? 'left'
  ctx.textBaseline = 'middle'
  if (style.rim) {
    ctx.strokeStyle = '#ffffff'
    ctx.lineWidth = 4
    ctx.lineJoin = 'round'
    ctx.strokeText(shown, x, y)
  }
  ctx.fillStyle = style.colour ?? ink
  ctx.fillText(shown, x, y)
  return ctx.measureText(shown).width
}

function shorten(ctx: Context, text: string, most: number, style: TextStyle): string {
  let shown = text
  while (measure(ctx, shown, style) > most && shown.length > 2) shown = `${shown.slice(0, -2)}\u2026`
  return shown
}

/** Writes text in lines that take at most `most` pixels, the last line's middle at `bottom`. */
export function writeLines(
  ctx: Context,
  text: string,
  x: number,
  bottom: number,
  most: number,
  style: TextStyle,
): void {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trimStart()
    if (lines.length > 0 && measure(ctx, longer, style) <= most) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  lines.forEach((line, i) => {
    write(ctx, line, x, bottom - (lines.length - 1 - i) * (style.size ?? 14) * 1.35, style)
  })
}
