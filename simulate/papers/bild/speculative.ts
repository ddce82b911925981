// The tables of speculative decoding proper, which BiLD is compared with: theorem 3.8 beside what was measured.
import { alphaOf } from '../../speculation/acceptance.ts'
import { bestGammaOf, speedup } from '../../speculation/gain.ts'
import { type Row, row } from '../row.ts'
import { bigram, chen, lenience, leviathan } from './published.ts'

const measured =
  'the published speedup was measured; theorem 3.8 takes acceptances as independent and verification as free'

export function leviathanRows(): Row[] {
  return [
    ...leviathan.lines.map(([item, gamma, alpha, cost, published]) =>
      row(leviathan, {
        item: `leviathan/${item}/speedup`,
        published,
        computed: speedup(alpha, gamma, cost),
        recalled: true,
        why: `the draft's cost (${cost}) was only recalled; ${measured}`,
      }),
    ),
    ...lenience.lines.map(([alpha, published]) =>
      row(lenience, {
        item: `leviathan/lenience/alpha-${alpha}/speedup`,
        published,
        computed: 1 / bestGammaOf(alpha, lenience.cost).seconds,
        why: `${measured}; the gamma is not printed, ours is the best`,
      }),
    ),
    row(bigram, {
      item: 'leviathan/bigram/gamma-3/speedup',
      published: bigram.speedup,
      computed: speedup(bigram.alpha, bigram.gamma, 0),
    }),
  ]
}

const cost = chen.draft / chen.target

/** Each row's alpha is what its speedup implies; whether the milliseconds say the same is then a check of the table. */
export function chenRows(): Row[] {
  return chen.lines.flatMap(({ item, seconds, speedup: published }) => {
    const gain = Number(published)
    const alpha = alphaOf(gain * (chen.gamma * cost + 1), chen.gamma)
    return [
      row(chen, {
        item: `chen/${item}/speedup`,
        published,
        computed: speedup(alpha, chen.gamma, cost),
        fitted: 1,
        why: `alpha ${alpha.toFixed(3)} is implied by this row; with every token accepted it would be ${speedup(1, chen.gamma, cost).toFixed(2)}`,
      }),
      row(chen, {
        item: `chen/${item}/seconds-per-token`,
        published: seconds,
        computed: chen.target / gain,
        evidence: 'quoted',
        tolerance: 0.025 * Number(seconds),
        why: "the printed speedup applied to the target's 14.1 ms, 2.5 % stated",
      }),
    ]
  })
}
