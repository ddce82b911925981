// Everything on a roofline that is text: title, roofs' names, numbers at the points, and the list that explains them.
import type { Plugin } from 'chart.js'
import * as units from '../units.ts'
import { type Context, faint, height, ink, width } from './canvas.ts'
import { type Box, type Circle, inside, overlap, place, touches } from './place.ts'
import type { Point, Roof } from './roofline.ts'
import { measure, write } from './text.ts'

export interface Swatch {
  readonly colour: string
  readonly text: string
}

export interface Listed {
  readonly name: string
  readonly share: number
  readonly colour: string
}

export interface Annotations {
  readonly title: string
  readonly under: string
  readonly roofs: readonly Roof[]
  readonly points: readonly Point[]
  readonly passes: readonly Point[]
  /** Points of a smaller share of the time get no number. */
  readonly least: number
  readonly swatches: readonly Swatch[]
  readonly listed: readonly Listed[]
  readonly footnotes: readonly string[]
}

interface Scale {
  getPixelForValue(value: number): number
}

interface Plot {
  readonly ctx: Context
  readonly area: Box
  readonly x: (value: number) => number
  readonly y: (value: number) => number
}

export function annotations(a: Annotations): Plugin<'scatter' | 'bubble'> {
  return {
    id: 'annotations',
    afterDatasetsDraw: (chart) => {
      const { x, y } = chart.scales as unknown as { x: Scale; y: Scale }
      const ctx = chart.ctx as unknown as Context
      const { left, top, right, bottom } = chart.chartArea
      const area = { left, top, right, bottom }
      const plot = { ctx, area, x: (v: number) => x.getPixelForValue(v), y: (v: number) => y.getPixelForValue(v) }
      ctx.save()
      heading(plot, a)
      const taken = [...roofNames(plot, a), ...slopeName(plot, a)]
      const numbers = panel(plot, a)
      pointNumbers(plot, a, numbers, taken)
      ctx.restore()
    },
  }
}

function heading({ ctx }: Plot, { title, under, footnotes }: Annotations): void {
  write(ctx, title, 24, 34, { size: 24, bold: true })
  write(ctx, under, 24, 64, { size: 16, colour: '#555555' })
  footnotes.forEach((line, i) => {
    write(ctx, line, 24, height - 14 - 18 * (footnotes.length - 1 - i), { size: 12, colour: '#666666' })
  })
}

/** Names above the flat roofs, else below, as far to the right as there is room; returns the boxes that they take. */
function roofNames(plot: Plot, { roofs, points, passes }: Annotations): Box[] {
  const { ctx, area } = plot
  const boxes: Box[] = []
  const circles = [...points, ...passes].map((p) => circleOf(plot, p))
  const size = 13
  for (const roof of [...roofs].sort((a, b) => b.peak - a.peak)) {
    const wide = measure(ctx, roof.label, { size })
    const [line, ridge, end] = [plot.y(roof.peak), plot.x(roof.peak / roof.bandwidth), area.right - 8]
    const lines = roofs.filter((r) => r !== roof).map((r) => flatOf(plot, r))
    const at = (right: number, y: number) => ({ left: right - wide, right, top: y - 8, bottom: y + 8 })
    const free = (box: Box) =>
      ![...boxes, ...lines].some((b) => overlap(b, box)) && !circles.some((c) => touches(box, c))
    const steps = Array.from({ length: Math.max(1, Math.ceil((end - wide - ridge) / 8)) }, (_, i) => end - 8 * i)
    const places = [line - 12, line + 13].flatMap((y) => steps.map((right) => at(right, y)))
    const box = places.find(free) ?? at(end, line - 12)
    boxes.push(box)
    write(ctx, roof.label, box.right, box.top + 8, { size, align: 'right', colour: roof.colour, rim: true })
  }
  return boxes
}

/** The strip that a flat roof takes. */
function flatOf({ x, y, area }: Plot, { peak, bandwidth }: Roof): Box {
  return { left: x(peak / bandwidth), right: area.right, top: y(peak) - 2, bottom: y(peak) + 2 }
}

/** The name of the only slope, along it, where no point stands in its way; returns the boxes that it takes. */
function slopeName(plot: Plot, { roofs, points, passes }: Annotations): Box[] {
  const [roof] = [...roofs].sort((a, b) => b.peak - a.peak)
  if (roof === undefined || roofs.some((r) => r.machine !== roof.machine)) return []
  const { ctx, area } = plot
  const text = `memory  ${units.bandwidth(roof.bandwidth)}`
  const size = 13
  const long = measure(ctx, text, { size })
  const end = { x: plot.x(roof.peak / roof.bandwidth), y: plot.y(roof.peak) }
  const start = { x: area.left, y: end.y + (end.x - area.left) * slopePixels(plot, roof) }
  const angle = Math.atan2(end.y - start.y, end.x - start.x)
  const circles = [...points, ...passes].map((p) => circleOf(plot, p))
  const at = (share: number) => {
    // Above the line by half a line of text.
    const [x, y] = [start.x + (end.x - start.x) * share, start.y + (end.y - start.y) * share]
    return { x: x + Math.sin(angle) * 12, y: y - Math.cos(angle) * 12 }
  }
  const stretch = (c: { x: number; y: number }) =>
    [-0.5, -0.25, 0, 0.25, 0.5].map((f) =>
      square(c.x + Math.cos(angle) * long * f, c.y + Math.sin(angle) * long * f, 11),
    )
  const shares = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.82, 0.18]
  const free = shares.find((share) => {
    const boxes = stretch(at(share))
    return boxes.every((b) => inside(b, area)) && !boxes.some((b) => circles.some((c) => touches(b, c)))
  })
  const centre = at(free ?? 0.5)
  ctx.save()
  ctx.translate(centre.x, centre.y)
  ctx.rotate(angle)
  write(ctx, text, 0, 0, { size, align: 'center', rim: true })
  ctx.restore()
  return stretch(centre)
}

/** Pixels that the slope of the memory falls per pixel to the left. */
function slopePixels({ x, y }: Plot, { bandwidth }: Roof): number {
  return (y(bandwidth) - y(10 * bandwidth)) / (x(10) - x(1))
}

function square(x: number, y: number, half: number): Box {
  return { left: x - half, right: x + half, top: y - half, bottom: y + half }
}

function circleOf({ x, y }: Plot, p: Point): Circle {
  return { x: x(p.x), y: y(p.y), r: p.r }
}

const panelLeft = width - 300
const rowHeight = 20

/** What the colours mean and which operator has which number; returns the numbers by name. */
function panel(plot: Plot, { swatches, listed, passes }: Annotations): Map<string, number> {
  const { ctx, area } = plot
  let y = area.top + 8
  for (const { colour, text } of swatches) {
    ctx.fillStyle = colour
    ctx.beginPath()
    ctx.arc(panelLeft + 7, y, 6, 0, 2 * Math.PI)
    ctx.fill()
    write(ctx, text, panelLeft + 22, y, { size: 13, most: 270 })
    y += rowHeight
  }
  diamond(ctx, panelLeft + 7, y, 7, passes.length === 1 ? ink : '#777777')
  write(ctx, 'whole pass', panelLeft + 22, y, { size: 13 })
  y += rowHeight * 1.6
  write(ctx, 'operator', panelLeft + 30, y, { size: 13, colour: '#666666' })
  write(ctx, passes.length === 1 ? 'time' : 'time, up to', width - 24, y, {
    size: 13,
    colour: '#666666',
    align: 'right',
  })
  y += rowHeight
  const room = Math.floor((area.bottom - y) / rowHeight)
  const shown = listed.length <= room ? listed : listed.slice(0, room - 1)
  shown.forEach(({ name, share, colour }, i) => {
    write(ctx, String(i + 1), panelLeft + 20, y, { size: 13, bold: true, colour, align: 'right' })
    write(ctx, name, panelLeft + 30, y, { size: 13, most: 190 })
    write(ctx, units.percent(share), width - 24, y, { size: 13, align: 'right' })
    y += rowHeight
  })
  const more = listed.length - shown.length
  if (more > 0) write(ctx, `and ${more} more, without numbers`, panelLeft + 30, y, { size: 13, colour: '#666666' })
  return new Map(shown.map(({ name }, i) => [name, i + 1]))
}

function diamond(ctx: Context, x: number, y: number, half: number, fill: string): void {
  ctx.fillStyle = fill
  ctx.beginPath()
  ctx.moveTo(x, y - half)
  ctx.lineTo(x + half, y)
  ctx.lineTo(x, y + half)
  ctx.lineTo(x - half, y)
  ctx.closePath()
  ctx.fill()
}

/** A number beside each point that the list explains, with a line to it where it had to move away. */
function pointNumbers(plot: Plot, a: Annotations, numbers: ReadonlyMap<string, number>, taken: readonly Box[]): void {
  const { ctx } = plot
  const shown = a.points.filter((p) => p.share >= a.least && numbers.has(p.name)).sort((p, q) => q.share - p.share)
  const size = 12
  const labels = shown.map((p) => {
    const text = String(numbers.get(p.name))
    return { text, colour: p.colour, at: circleOf(plot, p), width: measure(ctx, text, { size }) + 5, height: size + 2 }
  })
  const circles = [...a.points, ...a.passes].map((p) => circleOf(plot, p))
  place(labels, circles, plot.area, taken).forEach(({ box, leader }, i) => {
    const label = labels[i]
    if (label === undefined) return
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    if (leader) {
      ctx.strokeStyle = faint
      ctx.lineWidth = 1
      ctx.beginPath()
      ctx.moveTo(label.at.x, label.at.y)
      ctx.lineTo(x, y)
      ctx.stroke()
      ctx.fillStyle = '#ffffff'
      ctx.fillRect(box.left, box.top, box.right - box.left, box.bottom - box.top)
    }
    write(ctx, label.text, x, y, { size, bold: true, colour: label.colour, align: 'center', rim: true })
  })
}
