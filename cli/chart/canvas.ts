// Charts without a browser: chart.js draws on a Skia canvas, into PNG or SVG. Text needs a font of the system; without
// one it would silently vanish, so that is an error.
import { extname } from 'node:path'
import { createCanvas, GlobalFonts, type SKRSContext2D, SvgExportFlag } from '@napi-rs/canvas'
import {
  BubbleController,
  Chart,
  type ChartConfiguration,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
} from 'chart.js'
import { FileError } from '../errors.ts'
import { writeWhole } from '../output.ts'

export type Context = SKRSContext2D

export const width = 1200
export const height = 800

/** Sans-serif families in order of taste; the last are what Linux images usually have. */
const preferred = [
  'Inter',
  'Helvetica Neue',
  'Segoe UI',
  'Arial',
  'Liberation Sans',
  'Noto Sans',
  'Roboto',
  'DejaVu Sans',
  'Ubuntu',
  'Cantarell',
  'FreeSans',
]

/** A family to write with: a preferred one, else any whose name does not say symbols or emoji. Throws FileError. */
export function fontFamily(families: readonly string[] = GlobalFonts.families.map((f) => f.family)): string {
  const known = preferred.find((name) => families.includes(name))
  const family = known ?? families.find((name) => !/emoji|symbol|icon|math|awesome|braille/i.test(name))
  if (family !== undefined) return family
  throw new FileError('cannot draw text: this system has no fonts; install one, such as the package fonts-dejavu-core')
}

Chart.register(BubbleController, LinearScale, LineElement, LogarithmicScale, PointElement, ScatterController)

/** Draws a chart into the file, as its ending says. */
export async function draw(path: string, config: ChartConfiguration<'scatter' | 'bubble'>): Promise<void> {
  Chart.defaults.font.family = fontFamily()
  Chart.defaults.font.size = 14
  Chart.defaults.color = ink
  const svg = extname(path).toLowerCase() === '.svg'
  // Text as paths looks the same where the font is missing.
  const canvas = svg ? createCanvas(width, height, SvgExportFlag.ConvertTextToPaths) : createCanvas(width, height)
  const chart = new Chart(canvas as never, {
    ...config,
    options: { ...config.options, animation: false, responsive: false, devicePixelRatio: 1 },
    plugins: [paper, ...(config.plugins ?? [])],
  })
  const content = 'getContent' in canvas ? canvas.getContent() : await canvas.encode('png')
  chart.destroy()
  writeWhole(path, content)
}

export const ink = '#222222'
export const faint = '#8a8a8a'

/** White below everything: a transparent chart is unreadable on a dark page. */
const paper = {
  id: 'paper',
  beforeDraw: (chart: { ctx: unknown }) => {
    const ctx = chart.ctx as Context
    ctx.save()
    ctx.fillStyle = '#ffffff'
    ctx.fillRect(0, 0, width, height)
    ctx.restore()
  },
}
