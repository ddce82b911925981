// Rounds of BiLD (arXiv 2302.07863): a small model writes until it is unsure or a window is full; the large one then
// checks what was written in one pass, rolls back where it disagrees too much, and adds one token of its own.
import type { Deployment } from '../../model/deployment.ts'
import type { Workload } from '../../model/workload.ts'
import { type BildRates, bildRound, sampleBildRound } from '../bild/renewal.ts'
import { autoregressive, encoders, type Step, type Strategy } from '../round.ts'
import { checking, generating, later, ownRoles, prompts } from './groups.ts'
import { draftEncoders } from './speculative.ts'

export interface Bild {
  readonly rates: BildRates
  small(target: Deployment): Deployment
}

export function bild({ rates, small }: Bild): Strategy {
  const round = bildRound(rates)
  return (target, workload) => {
    const draft = small(target)
    const active = generating(workload)
    const { stack } = workload
    const reading: Workload = { stack, groups: prompts(workload) }
    const start = [...encoders(target, workload), ...draftEncoders(draft, target, workload)]
    const on = 'target'
    const steps: Step[] = []
    if (reading.groups.length > 0) {
      steps.push({ name: 'small prefill', on, deployment: draft, workload: reading, times: 1 })
    }
    if (active.length === 0) {
      const beside = [{ deployment: draft, workload, roles: ownRoles(draft, target), cache: 'rows' as const }]
      const plain = autoregressive(target, workload)
      return { ...plain, start, steps: [...plain.steps, ...steps], beside }
    }
    // Small steps stand half way through what the round writes.
    const middle = Math.max(0, (round.smallSteps - 1) / 2)
    const writing = { stack, groups: active.map((g) => ({ ...later(g, middle), query: 1, logits: 1 })) }
    if (round.smallSteps > 0) {
      steps.push({ name: 'small', on, deployment: draft, workload: writing, times: round.smallSteps })
    }
    round.checked.forEach((times, k) => {
      if (times === 0) return
      const checked = { stack, groups: active.map((g) => checking(g, k + 1)) }
      steps.push({ name: 'large', on, deployment: target, workload: checked, times })
    })
    if (round.rollbacks > 0) {
      const again = { stack, groups: active.map((g) => checking(g, 1)) }
      steps.push({ name: 'large after rollback', on, deployment: target, workload: again, times: round.rollbacks })
    }
    if (reading.groups.length > 0) steps.push({ name: 'prefill', on, deployment: target, workload: reading, times: 1 })
    const held = { stack, groups: active.map((g) => checking(g, rates.window + 1)) }
    return {
      start,
      steps,
      holds: { deployment: target, workload: held },
      beside: [{ deployment: draft, workload: held, roles: ownRoles(draft, target), cache: 'rows' }],
      tokens: round.tokens,
      sample: (random) => sampleBildRound(rates, random),
    }
  }
}
