// Speedups and latencies of BiLD by the renewal form, from measured shares of fallbacks and rollbacks.
import { bildSeconds, ratesOf } from '../../bild/renewal.ts'
import { measuredLaunches } from '../../speculation/steps.ts'
import { type Row, row } from '../row.ts'
import { alone, mainTable, meanTokens, selfTrained, steps, texts, windowSweep } from './published.ts'

export const window = 10

/**
 * Fitted with `fitRuns` to the reproduction's 55 runs of IWSLT on an RTX 2080 Ti: seconds of a text besides its steps, of
 * a small and of a large step in BiLD's loop. A small step is slower than alone (16.6 ms): its confidence is computed, and
 * waited for, at each token.
 */
export const constants = { fixed: 0.0226, small: 0.02, large: 0.04517 } as const

/**
 * A small step over a large one. mT5's is that of the runs above, none of which is in the tables below; T5's is the median
 * of what the eight T5 rows of the main table imply.
 */
export const costs = { mt5: constants.small / constants.large, t5: 0.304 } as const

const sweepTolerance = 0.05

/** What counts as the same speedup: measured on cloud machines, by two groups. */
const tolerance = 0.1

const unexplained =
  'the published speedup is that of a cost ratio of 0.40 where the other T5 rows agree on 0.30: unexplained'

type Line = (typeof mainTable.lines | typeof selfTrained.lines)[number] & { readonly note?: string }

/** Of a text of the task's mean length, which begins with a large step. */
export function speedupOf({ item, family, fallback, rollback }: Line): number {
  const rates = ratesOf({ fallback: fallback / 100, rollback: rollback / 100 }, window)
  const tokens = meanTokens[item.split('/')[0] as keyof typeof meanTokens]
  return tokens / bildSeconds(rates, tokens, { small: costs[family], large: 1 })
}

export function mainRows(): Row[] {
  return (mainTable.lines as readonly Line[]).map((line) => {
    const base = `10 % stated: shares of the reproduction's runs${line.note === undefined ? '' : ` (${line.note})`}`
    return row(mainTable, {
      item: `${line.item}/speedup`,
      published: line.speedup,
      computed: speedupOf(line),
      tolerance: tolerance * Number(line.speedup),
      ...(line.family === 't5' && { fitted: 1 }),
      why: line.item.startsWith('cnndm/unaligned')
        ? unexplained
        : `${base}; ${line.family === 't5' ? 'one cost ratio fitted to the eight T5 rows' : 'the cost ratio is that of 55 other runs'}`,
    })
  })
}

export function selfTrainedRows(): Row[] {
  return (selfTrained.lines as readonly Line[]).map((line) =>
    row(selfTrained, {
      item: `self-trained/${line.item}/speedup`,
      published: line.speedup,
      computed: speedupOf(line),
      tolerance: tolerance * Number(line.speedup),
      why: '10 % stated: the cost ratios are those of the main table',
    }),
  )
}

function sweepSeconds(windowOf: number): number {
  const { unsure, rejected } = windowSweep
  return bildSeconds({ unsure, rejected, window: windowOf }, alone.tokens, constants, constants.fixed)
}

export function windowRows(): Row[] {
  const measured = Object.entries(windowSweep.seconds).map(([w, s]) => [Number(w), s] as const)
  const best = measured.map(([w]) => w).reduce((a, b) => (sweepSeconds(b) < sweepSeconds(a) ? b : a))
  return [
    row(windowSweep, { item: 'iwslt/window/best', published: '10', computed: best, tolerance: 0 }),
    ...measured
      .filter(([w]) => w !== 10)
      .map(([w, seconds]) => {
        const published = Number(seconds) / Number(windowSweep.seconds[10])
        return row(windowSweep, {
          item: `iwslt/window/${w}/over-window-10`,
          published: published.toFixed(3),
          computed: sweepSeconds(w) / sweepSeconds(10),
          tolerance: sweepTolerance * published,
          why: '5 % stated: ten sentences of unknown length, over the same ten at window 10; the first runs warm up',
        })
      }),
  ]
}

const layers: Readonly<Record<string, number>> = { 'mt5-small': 8, 'mt5-large': 24, 't5-small': 6, 't5-large': 24 }

/** The host's seconds of a step, a + b × layers. */
function hostStep(model: string): number {
  const { pass, layer } = measuredLaunches[model.startsWith('mt5') ? 'mt5' : 't5']
  return pass + layer * (layers[model] ?? Number.NaN)
}

/** Steps that the launches were fitted on, from the two models of each family. */
export function stepRows(): Row[] {
  return steps.lines.map(({ model, seconds }) =>
    row(steps, {
      item: `${model}/step/seconds`,
      published: seconds,
      computed: hostStep(model),
      fitted: 2,
      tolerance: 0.01 * Number(seconds),
    }),
  )
}

/** The same steps in texts that they were not fitted on. */
export function textRows(): Row[] {
  return texts.lines.map(({ item, tokens, seconds, tolerance }) =>
    row(texts, {
      item: `${item}/seconds`,
      published: seconds,
      computed: tokens * hostStep(item.split('/')[2] ?? ''),
      tolerance: tolerance * Number(seconds),
      why: item.startsWith('t4')
        ? '15 % stated: the launches are those of another host'
        : '5 % stated: the launches are those of steps on another task',
    }),
  )
}

/** How good the texts are is no matter of time. */
export function scoreRows(): Row[] {
  const why = 'how good a text is (BLEU, ROUGE-L) takes the models themselves'
  const of = (base: typeof mainTable | typeof selfTrained, prefix: string) =>
    base.lines.map(({ item, score }) =>
      row(base, { item: `${prefix}${item}/score`, published: score, computed: null, why }),
    )
  return [...of(mainTable, ''), ...of(selfTrained, 'self-trained/')]
}
