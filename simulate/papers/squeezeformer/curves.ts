// What the paper's models cost on two machines, beside what they were published to hear; and where, as audio grows, the
// scores between all pairs of tokens take more time than everything else.
import type { Machine } from '../../../hardware/machine.ts'
import type { Architecture } from '../../../model/architecture.ts'
import { format } from '../../../model/format.ts'
import { type Prediction, predict } from '../../predict.ts'
import type { Curve, Series } from '../paper.ts'
import { isSqueezeformer, type Name, names, published } from './published.ts'

export type Models = Readonly<Record<Name, Architecture>>

function encoding(architecture: Architecture, machine: Machine, audio: number, batch: number): Prediction {
  const fp16 = format('fp16')
  return predict({ architecture, machine, audio, batch, deployment: { weights: fp16, activations: fp16 } })
}

const batch = 16
const seconds = 30

/** Word error rate against time, a series for each machine and family. */
function accuracy(models: Models, machines: readonly Machine[]): Curve {
  const families = [
    { family: 'Conformer-CTC', own: names.filter((n) => !isSqueezeformer(n)) },
    { family: 'Squeezeformer', own: names.filter(isSqueezeformer) },
  ]
  return {
    name: 'accuracy',
    title: `Predicted time of ${batch} x ${seconds} s of audio in fp16, at the word error rate published for each model`,
    x: 'word error rate on LibriSpeech test-other, % (published)',
    y: 'predicted seconds of one pass',
    ticks: [6, 7, 8, 9, 10],
    series: machines.flatMap((machine) =>
      families.map(({ family, own }): Series => {
        const sorted = [...own].sort((a, b) => errorRate(a) - errorRate(b))
        return {
          name: `${family}, ${machine.name}`,
          evidence: 'computed',
          points: sorted.map((n) => [errorRate(n), encoding(models[n], machine, seconds, batch).expected_s] as const),
          labels: sorted.map((n) => (n.split('-').at(-1) as string).toUpperCase()),
        }
      }),
    ),
    source: 'word error rates: github.com/kssteven418/Squeezeformer, README.md; of Conformer-CTC: recalled',
  }
}

function errorRate(name: Name): number {
  return Number(published[name].wer[1])
}

/** Operators whose work grows with the square of the audio. */
const square = /^attention(-position-scores|-position-shift|-scores|-softmax|-values)?$/

/** Seconds of an encoder's scores and of everything else. */
export function scoresAndRest(
  a: Architecture,
  machine: Machine,
  audio: number,
): readonly [scores: number, rest: number] {
  const { operators } = encoding(a, machine, audio, 1)
  const sum = (of: boolean) => operators.filter((o) => square.test(o.name) === of).reduce((s, o) => s + o.expected_s, 0)
  return [sum(true), sum(false)]
}

const lengths = [1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 420, 600]

/** Seconds of audio from which on the scores take longer than the rest; undefined where never up to the last length. */
export function takeover(a: Architecture, machine: Machine): number | undefined {
  let [low, high] = [lengths[0] as number, lengths.at(-1) as number]
  const taken = (audio: number) => {
    const [scores, rest] = scoresAndRest(a, machine, audio)
    return scores > rest
  }
  if (!taken(high)) return undefined
  while (high - low > 1) {
    const middle = Math.round((low + high) / 2)
    if (taken(middle)) high = middle
    else low = middle
  }
  return high
}

/** Time against the length of the audio, on the machine with the most memory. */
function growth(models: Models, machine: Machine): Curve {
  const compared = ['conformer-ctc-m', 'squeezeformer-sm'] as const
  const times = compared.map((n) => ({ name: n, parts: lengths.map((l) => scoresAndRest(models[n], machine, l)) }))
  const from = compared.map((n) => `${takeover(models[n], machine) ?? 'more'} s for ${n}`)
  return {
    name: 'length',
    title: `One recording in fp16 on ${machine.name}: the scores between all tokens take over from ${from.join(', ')}`,
    x: 'seconds of audio',
    y: 'predicted seconds of one pass',
    ticks: [1, 3, 10, 30, 100, 300, 600],
    series: times.flatMap(({ name, parts }): Series[] => [
      line(
        `${name}: scores`,
        parts.map(([scores]) => scores),
      ),
      line(
        `${name}: the rest`,
        parts.map(([, rest]) => rest),
      ),
    ]),
    source: 'computed; position tables of the released models end at 200 s',
  }
}

function line(name: string, values: readonly number[]): Series {
  return { name, evidence: 'computed', points: lengths.map((l, i) => [l, values[i] as number] as const) }
}

export function curves(models: Models, a100: Machine, t4: Machine): Curve[] {
  return [accuracy(models, [a100, t4]), growth(models, a100)]
}
