// The roofline of one or several predictions (Williams, Waterman and Patterson 2009): the machine's roofs, and each
// operator where it is expected to run. A bubble's area is the operator's share of the time.
import type { ChartDataset } from 'chart.js'
import type { Machine } from '../../hardware/machine.ts'
import type { Unit } from '../../model/format.ts'
import type { OperatorAnswer, Prediction } from '../../simulate/predict.ts'
import * as units from '../units.ts'
import { commonMethods, workloadLine } from '../views/prediction.ts'
import { logAxis } from './axes.ts'
import { draw, faint, ink } from './canvas.ts'
import { colour, translucent } from './palette.ts'
import { annotations, type Listed, type Swatch } from './roofline-labels.ts'

export interface Entry {
  readonly prediction: Prediction
  readonly machine: Machine
}

export interface Point {
  /** FLOP/byte and FLOP/s. */
  readonly x: number
  readonly y: number
  /** Radius in pixels. */
  readonly r: number
  readonly share: number
  readonly name: string
  readonly colour: string
}

export interface Roof {
  readonly machine: string
  readonly label: string
  readonly peak: number
  readonly bandwidth: number
  readonly colour: string
  /** The unit that the prediction's arithmetic runs on. */
  readonly used: boolean
}

/** Share of the time from which operators are numbered where there are several machines. */
const numberedFrom = 0.03

const limitColours = { memory: colour(0), compute: colour(1), network: colour(3) } as const

/** Draws the roofline of the entries, which answer the same query, into the file. */
export async function plotRoofline(path: string, entries: readonly Entry[]): Promise<void> {
  const several = entries.length > 1
  const mixed = new Set(entries.map((e) => e.prediction.arithmetic.unit)).size > 1
  const points = entries.flatMap((e, i) => pointsOf(e.prediction, several ? colour(i) : undefined))
  const passes = entries.map((e, i) => passOf(e.prediction, several ? colour(i) : ink))
  const roofs = entries.flatMap((e, i) => (several ? [usedRoof(e, colour(i), mixed)] : roofsOf(e)))
  const { x, y } = ranges([...points, ...passes], roofs)
  await draw(path, {
    type: 'scatter',
    data: { datasets: [...roofLines(roofs, x), passDataset(passes), bubbles(points)] },
    options: {
      layout: { padding: { left: 16, top: 92, right: 330, bottom: 54 } },
      scales: {
        x: logAxis('arithmetic intensity (FLOP/byte)', x[0], x[1], String),
        y: logAxis('FLOP/s', y[0], y[1], (v) => units.flopRate(v).replace(/\.0+ /, ' ')),
      },
    },
    plugins: [
      annotations({
        title: several ? `${entries[0]?.prediction.model} on ${entries.length} machines` : titleOf(entries[0] as Entry),
        under: workloadLine({
          ...(entries[0] as Entry).prediction,
          methods: commonMethods(entries.map((e) => e.prediction)),
        }),
        roofs,
        points,
        passes,
        // Side by side, small operators would number the chart full.
        least: several ? numberedFrom : 0,
        swatches: several ? entries.map(machineSwatch) : limitSwatches(points),
        listed: listOf(points),
        footnotes: footnotes(entries),
      }),
    ],
  })
}

function titleOf({ prediction, machine }: Entry): string {
  return `${prediction.model} on ${machine.title}`
}

/** Operators that compute, where they are expected to run; those of one name and place are one point. */
function pointsOf(p: Prediction, fixed: string | undefined): Point[] {
  const groups = together(p.operators.filter((o) => o.flops > 0 && o.bytes.total > 0))
  const names = groups.map(([first]) => first.name)
  return groups.map((own) => {
    const [{ name, layers, limit }] = own
    const sum = (of: (o: OperatorAnswer) => number) => own.reduce((n, o) => n + of(o), 0)
    const flops = sum((o) => o.flops)
    const seconds = sum((o) => o.expected_s)
    const share = seconds / p.expected_s
    const ambiguous = names.indexOf(name) !== names.lastIndexOf(name) && layers !== ''
    return {
      x: flops / sum((o) => o.bytes.total),
      y: flops / seconds,
      r: 3 + 30 * Math.sqrt(share),
      share,
      name: ambiguous ? `${name} (${shortLayers(layers)})` : name,
      colour: fixed ?? limitColours[limit],
    }
  })
}

type Group = [OperatorAnswer, ...OperatorAnswer[]]

/** Operators of one name that a chart cannot tell apart, such as those of layers that alternate. */
function together(operators: readonly OperatorAnswer[]): Group[] {
  const groups: Group[] = []
  for (const o of operators) {
    const like = groups.find(([first]) => alike(first, o))
    if (like) like.push(o)
    else groups.push([o])
  }
  return groups
}

function alike(a: OperatorAnswer, b: OperatorAnswer): boolean {
  const near = (of: (o: OperatorAnswer) => number) => Math.abs(Math.log(of(a) / of(b))) < 0.1
  if (a.name !== b.name || a.limit !== b.limit) return false
  return near((o) => o.flops / o.bytes.total) && near((o) => o.flops / o.expected_s)
}

function shortLayers(layers: string): string {
  const [first = '', ...more] = layers.split(',')
  return more.length === 0 ? first : `${first},..`
}

function passOf(p: Prediction, fill: string): Point {
  return { x: p.arithmetic_intensity, y: p.flops / p.expected_s, r: 9, share: 1, name: 'whole pass', colour: fill }
}

/** Every roof of a machine; units of one peak share it. */
function roofsOf({ machine, prediction }: Entry): Roof[] {
  const byPeak = new Map<number, Unit[]>()
  for (const [unit, peak] of Object.entries(machine.peaks) as [Unit, number][]) {
    byPeak.set(peak, [...(byPeak.get(peak) ?? []), unit])
  }
  return [...byPeak].map(([peak, names]) => {
    const used = names.includes(prediction.arithmetic.unit)
    const label = `${names.join(', ')}  ${units.flopRate(peak, names.every((n) => n.startsWith('int')) ? 'int' : 'fp')}`
    return { machine: machine.name, label, peak, bandwidth: machine.memory.bandwidth, colour: used ? ink : faint, used }
  })
}

/** The one roof that matters to a machine among others; with its unit where they differ. */
function usedRoof({ machine, prediction: { arithmetic } }: Entry, line: string, mixed: boolean): Roof {
  const label = `${machine.name}${mixed ? `, ${arithmetic.unit}` : ''}  ${units.flopRate(arithmetic.peak, arithmetic.unit)}`
  return {
    machine: machine.name,
    label,
    peak: arithmetic.peak,
    bandwidth: machine.memory.bandwidth,
    colour: line,
    used: true,
  }
}

type Range = readonly [number, number]

/** Axes that hold every point, every ridge, and some air. */
function ranges(points: readonly Pick<Point, 'x' | 'y'>[], roofs: readonly Roof[]): { x: Range; y: Range } {
  const ridges = roofs.map((r) => r.peak / r.bandwidth)
  const xs = [...points.map((p) => p.x), ...ridges]
  const ys = [...points.map((p) => p.y), ...roofs.map((r) => r.peak)]
  return {
    x: [Math.min(...xs) / 3, Math.max(Math.max(...xs) * 3, Math.max(...ridges) * 20)],
    y: [Math.min(...ys) / 4, Math.max(...ys) * 2.5],
  }
}

type Dataset = ChartDataset<'scatter' | 'bubble'>

/** The slope of each memory up to its highest ridge, and each flat roof from its own ridge on. */
function roofLines(roofs: readonly Roof[], [low, high]: Range): Dataset[] {
  const line = { type: 'scatter', showLine: true, pointRadius: 0 } as const
  const tallest = roofs.filter((r) => !roofs.some((o) => o.machine === r.machine && o.peak > r.peak))
  const slopes = tallest.map(({ peak, bandwidth, colour: of }): Dataset => {
    const data = [
      { x: low, y: low * bandwidth },
      { x: peak / bandwidth, y: peak },
    ]
    return { ...line, borderWidth: 2.5, borderColor: tallest.length === 1 ? ink : of, data }
  })
  const flats = roofs.map(({ peak, bandwidth, colour: of, used }): Dataset => {
    const data = [
      { x: peak / bandwidth, y: peak },
      { x: high, y: peak },
    ]
    return { ...line, borderWidth: used ? 2.5 : 1.25, borderDash: used ? [] : [6, 4], borderColor: of, data }
  })
  return [...flats, ...slopes]
}

function bubbles(points: readonly Point[]): Dataset {
  const drawn = [...points].sort((a, b) => b.r - a.r)
  return {
    type: 'bubble',
    data: drawn.map(({ x, y, r }) => ({ x, y, r })),
    backgroundColor: drawn.map((p) => translucent(p.colour, 0.45)),
    borderColor: drawn.map((p) => p.colour),
    borderWidth: 1.25,
    clip: false,
  }
}

function passDataset(passes: readonly Point[]): Dataset {
  return {
    type: 'scatter',
    data: passes.map(({ x, y }) => ({ x, y })),
    pointStyle: 'rectRot',
    pointRadius: 9,
    pointBackgroundColor: passes.map((p) => p.colour),
    pointBorderColor: '#ffffff',
    pointBorderWidth: 1.5,
  }
}

/** Operators by their share of the time, the largest first, each once. */
function listOf(points: readonly Point[]): Listed[] {
  const shares = new Map<string, { share: number; colours: string[] }>()
  for (const { name, share, colour: of } of points) {
    const known = shares.get(name)
    if (known) shares.set(name, { share: Math.max(known.share, share), colours: [...known.colours, of] })
    else shares.set(name, { share, colours: [of] })
  }
  return [...shares]
    .sort(([, a], [, b]) => b.share - a.share)
    .map(([name, { share, colours }]) => ({ name, share, colour: colours.length === 1 ? (colours[0] as string) : ink }))
}

function machineSwatch({ machine, prediction: p }: Entry, i: number): Swatch {
  return {
    colour: colour(i),
    text: `${machine.name}: ${units.duration(p.expected_s)}, ${units.bandwidth(machine.memory.bandwidth)}`,
  }
}

function limitSwatches(points: readonly Point[]): Swatch[] {
  const present = new Set(points.map((p) => p.colour))
  return Object.entries(limitColours)
    .filter(([, hue]) => present.has(hue))
    .map(([limit, hue]) => ({ colour: hue, text: `bound by ${limit}` }))
}

function footnotes(entries: readonly Entry[]): string[] {
  const [first] = entries
  const left = (first?.prediction.operators ?? []).filter((o) => o.flops === 0 || o.bytes.total === 0)
  const share = left.reduce((sum, o) => sum + o.expected_s, 0) / (first?.prediction.expected_s ?? 1)
  const several = entries.length > 1
  const of = several ? ` on ${first?.machine.name}` : ''
  return [
    'Bubble area: share of the expected time. Height: FLOP over expected time. Lines: datasheet bandwidth and dense peaks.' +
      (several ? ` Numbered from ${units.percent(numberedFrom)} of the time.` : ''),
    ...(left.length === 0
      ? []
      : [
          `Left out: ${left.length} operators that compute nothing (copies, look-ups, collectives), ${units.percent(share)} of the time${of}.`,
        ]),
  ]
}
