// Charts without a browser: chart.js draws on a Skia canvas, into PNG or SVG.
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { createCanvas, GlobalFonts, type SKRSContext2D, SvgExportFlag } from '@napi-rs/canvas'
import {
  BarController,
  BarElement,
  BubbleController,
  CategoryScale,
  Chart,
  type ChartConfiguration,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
} from 'chart.js'
import { FileError } from '../errors.ts'
import { writeWhole } from '../output.ts'

export type Context = SKRSContext2D

export const width = 1200
export const height = 800

/** The typeface of every chart. It comes with the package, so that charts look alike everywhere. */
const typeface = 'Inter'

function registerTypeface(): void {
  const { resolve } = createRequire(import.meta.url)
  for (const script of ['latin', 'greek']) {
    for (const weight of [400, 600, 700]) {
      const path = resolve(`@fontsource/inter/files/inter-${script}-${weight}-normal.woff2`)
      if (GlobalFonts.registerFromPath(path, typeface) === null) throw new FileError(`cannot read the typeface ${path}`)
    }
  }
}

Chart.register(BubbleController, LinearScale, LineElement, LogarithmicScale, PointElement, ScatterController)

/** Draws a chart into the file, as its ending says. */
export async function draw(path: string, config: ChartConfiguration<'scatter' | 'bubble'>): Promise<void> {
  registerTypeface()
  Chart.defaults.font.family = typeface
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

/** Charts that are whole configurations, drawn below each other into a PNG; each as high as it says. */
export async function drawBelow(
  path: string,
  charts: readonly { readonly config: ChartConfiguration<'scatter' | 'bar'>; readonly height: number }[],
): Promise<void> {
  registerTypeface()
  Chart.register(BarController, BarElement, CategoryScale, Legend, Title)
  Chart.defaults.font.family = typeface
  Chart.defaults.color = ink
  const sheet = createCanvas(
    width,
    charts.reduce((sum, c) => sum + c.height, 0),
  )
  const context = sheet.getContext('2d')
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, sheet.width, sheet.height)
  let top = 0
  for (const { config, height } of charts) {
    const canvas = createCanvas(width, height)
    const options = { ...config.options, animation: false, responsive: false, devicePixelRatio: 1 } as const
    const chart = new Chart(canvas as never, { ...config, options } as ChartConfiguration)
    context.drawImage(canvas, 0, top)
    chart.destroy()
    top += height
  }
  writeWhole(path, await sheet.encode('png'))
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
