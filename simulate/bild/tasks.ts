// Synthetic texts with the statistics of four published tasks: how sure the small model is, and how far from the large
// model's opinion what it emits lies. They stand for texts where nobody recorded a trace.
//
// Sources: the shares of fallbacks and rollbacks of the reproduction github.com/PopoDev/BiLD, inverted by the renewal form
// (renewal.ts). Confidences: its table. Distances: P(l > x | p) = scale (1 - p)^power exp(-(x - 2) / reach) for x from 2
// nats. The three constants were fitted to the shares of the 50 runs on IWSLT whose threshold is at least 1 nat; scale and
// reach of the other tasks to their two or three runs, with IWSLT's power. The runs tell of no rollbacks between 1 and 2
// nats: disagreements are taken to lie beyond 2. Where the models agree, the large one is taken to be as sure as the small
// one.
import { normals } from '../../model/random.ts'
import type { Proposal, Text, Thresholds } from './algorithm.ts'
import type { BildRates } from './renewal.ts'

interface Law {
  /** Confidence, and the probability of a lower one; ascending. */
  readonly confidences: readonly (readonly [confidence: number, below: number])[]
  readonly scale: number
  readonly reach: number
  readonly power: number
}

interface Task {
  readonly title: string
  /** Mean tokens of a text. */
  readonly tokens: number
  readonly unaligned: Law
  readonly aligned: Law
}

/** Least distance of a disagreement, nats. */
const nearest = 2
const alignedPower = 0.7
const unalignedPower = 1.15

const tasks = {
  iwslt: {
    title: "IWSLT'17 De-En, mT5-small and mT5-large",
    tokens: 29.07,
    unaligned: {
      confidences: [
        [0.2, 0.006],
        [0.3, 0.025],
        [0.4, 0.056],
        [0.5, 0.11],
        [0.6, 0.173],
        [0.7, 0.24],
        [0.8, 0.322],
        [0.9, 0.443],
      ],
      scale: 0.353,
      reach: 2.38,
      power: unalignedPower,
    },
    aligned: {
      confidences: [
        [0.4, 0.015],
        [0.5, 0.033],
        [0.6, 0.064],
        [0.7, 0.098],
        [0.8, 0.136],
        [0.9, 0.195],
      ],
      scale: 0.518,
      reach: 2.21,
      power: alignedPower,
    },
  },
  wmt: {
    title: "WMT'14 De-En, mT5-small and mT5-large",
    tokens: 29.38,
    unaligned: {
      confidences: [
        [0.3, 0.056],
        [0.4, 0.109],
        [0.5, 0.178],
        [0.6, 0.253],
        [0.7, 0.333],
        [0.8, 0.426],
      ],
      scale: 0.164,
      reach: 2.4,
      power: unalignedPower,
    },
    aligned: {
      confidences: [
        [0.3, 0.01],
        [0.4, 0.025],
        [0.5, 0.052],
        [0.6, 0.094],
        [0.7, 0.136],
        [0.8, 0.186],
      ],
      scale: 0.251,
      reach: 1.67,
      power: alignedPower,
    },
  },
  xsum: {
    title: 'XSUM, T5-small and T5-large',
    tokens: 28.23,
    unaligned: {
      confidences: [
        [0.2, 0.063],
        [0.3, 0.134],
        [0.4, 0.211],
        [0.5, 0.288],
        [0.6, 0.363],
      ],
      scale: 0.599,
      reach: 3.68,
      power: unalignedPower,
    },
    aligned: {
      confidences: [
        [0.2, 0.012],
        [0.3, 0.042],
        [0.4, 0.089],
        [0.5, 0.148],
        [0.6, 0.215],
      ],
      scale: 0.526,
      reach: 3.62,
      power: alignedPower,
    },
  },
  cnndm: {
    title: 'CNN/DailyMail, T5-small and T5-large',
    tokens: 74.76,
    unaligned: {
      confidences: [
        [0.2, 0.016],
        [0.3, 0.047],
        [0.4, 0.086],
        [0.5, 0.134],
        [0.6, 0.184],
      ],
      scale: 0.333,
      reach: 2.13,
      power: unalignedPower,
    },
    aligned: {
      confidences: [
        [0.2, 0.002],
        [0.3, 0.01],
        [0.4, 0.026],
        [0.5, 0.052],
        [0.6, 0.095],
        [0.7, 0.132],
      ],
      scale: 0.631,
      reach: 5.29,
      power: alignedPower,
    },
  },
} as const satisfies Record<string, Task>

export type TaskName = keyof typeof tasks
export const taskNames = Object.keys(tasks) as TaskName[]

/** Spread of a text's length over its mean; known of IWSLT alone. */
const lengthSpread = 0.55

export interface TaskTexts {
  readonly title: string
  /** Mean tokens of a text. */
  readonly tokens: number
  /** An endless source of texts. */
  texts(random: () => number): () => Text
  /** The closed form's rates: exact but for tokens below 2 nats where both models agree. */
  rates(thresholds: Thresholds): BildRates
  /** Probability that both models choose the same token. */
  readonly agreement: number
  /** What the laws do not tell of these thresholds. */
  warnings(thresholds: Thresholds): string[]
}

/** Texts of a task; `aligned`: the small model was trained on what the large one writes. */
export function textsOfTask(name: TaskName, aligned: boolean): TaskTexts {
  const task: Task = tasks[name]
  const law = aligned ? task.aligned : task.unaligned
  const quantile = confidenceQuantile(law)
  return {
    title: `${task.title}, ${aligned ? 'aligned' : 'unaligned'}`,
    tokens: task.tokens,
    texts: (random) => texts(task, law, quantile, random),
    rates: (thresholds) => rates(law, quantile, thresholds),
    agreement: 1 - disagreement(law, quantile, 0).share,
    warnings: (thresholds) => warnings(law, thresholds),
  }
}

function texts(task: Task, law: Law, quantile: (u: number) => number, random: () => number): () => Text {
  const normal = normals(random)
  return () => ({
    tokens: Math.max(1, Math.round(task.tokens * (1 + lengthSpread * normal()))),
    propose: () => propose(law, quantile(random()), random()),
  })
}

function propose({ scale, reach, power }: Law, confidence: number, draw: number): Proposal {
  const disagree = scale * (1 - confidence) ** power
  if (draw >= disagree) return { confidence, distance: -Math.log(confidence), agrees: true }
  return { confidence, distance: nearest - reach * Math.log(1 - draw / disagree), agrees: false }
}

/** The confidence below which a share `u` of the steps lies: a power of it up to the table, then of what it lacks to 1. */
function confidenceQuantile({ confidences }: Law): (u: number) => number {
  const [[p0, q0], [p1, q1]] = confidences as readonly [readonly [number, number], readonly [number, number]]
  const low = Math.log(p1 / p0) / Math.log(q1 / q0)
  const parts = confidences.slice(0, -1).map(([p, q], i) => {
    const [next, below] = confidences[i + 1] as readonly [number, number]
    return { p, q, power: Math.log((1 - next) / (1 - p)) / Math.log((1 - below) / (1 - q)) }
  })
  return (u) => {
    if (u < q0) return p0 * (u / q0) ** low
    let i = parts.length - 1
    while (i > 0 && u < (parts[i] as { q: number }).q) i--
    const { p, q, power } = parts[i] as (typeof parts)[number]
    return 1 - (1 - p) * ((1 - u) / (1 - q)) ** power
  }
}

const samples = 20_000

/** Share of the steps below `fallback`, and the share of the others on which the models disagree. */
function disagreement(law: Law, quantile: (u: number) => number, fallback: number): { below: number; share: number } {
  let [emitted, sum] = [0, 0]
  for (let i = 0; i < samples; i++) {
    const p = quantile((i + 0.5) / samples)
    if (p < fallback) continue
    emitted++
    sum += law.scale * (1 - p) ** law.power
  }
  return { below: 1 - emitted / samples, share: emitted === 0 ? 0 : sum / emitted }
}

function rates(law: Law, quantile: (u: number) => number, { fallback, rollback, window }: Thresholds): BildRates {
  const { below, share } = disagreement(law, quantile, fallback)
  return { unsure: below, rejected: share * Math.exp(-Math.max(0, rollback - nearest) / law.reach), window }
}

function warnings({ confidences }: Law, { fallback, rollback }: Thresholds): string[] {
  const [first, last] = [confidences[0]?.[0] ?? 0, confidences.at(-1)?.[0] ?? 1]
  const outside = fallback > 0 && (fallback < first || fallback > last)
  return [
    ...(outside ? [`fallback ${fallback}: the task's confidences are known from ${first} to ${last}`] : []),
    ...(rollback < 1
      ? [
          `rollback ${rollback}: no law is known below 1 nat; measured runs at 0.5 roll back a third as often as at 1, unexplained`,
        ]
      : []),
  ]
}
