// Rounds of speculative decoding: a draft proposes gamma tokens one by one, the target checks them all in one pass and
// adds one of its own (Leviathan et al. 2023, arXiv 2211.17192). What the draft is, another model or the target's own
// weights and cache read otherwise, is said by who makes the round.
import type { Deployment } from '../../model/deployment.ts'
import { tokens, type Workload } from '../../model/workload.ts'
import { autoregressive, encoders, type Round, type Step, type Strategy } from '../round.ts'
import type { Rate } from '../speculation/rate.ts'
import { checking, contextOf, generating, later, ownRoles, prompts } from './groups.ts'

export interface Speculation {
  readonly gamma: number
  readonly rate: Rate
  /** The deployment that drafts for this target. */
  draft(target: Deployment): Deployment
  /** The target as it checks, where that differs from how it was asked for. */
  target?(target: Deployment, kept: number): Deployment
  /** The draft's rows are its own, or the target's. */
  readonly cache: 'rows' | 'states'
  /** The draft reads prompts itself. */
  readonly prefills: boolean
}

export function speculative(s: Speculation): Strategy {
  return (asked, workload) => {
    const active = generating(workload)
    if (s.gamma === 0) return autoregressive(s.target?.(asked, 1) ?? asked, workload)
    const draft = s.draft(asked)
    if (active.length === 0) return prompting(s, asked, draft, workload)
    const { gamma } = s
    const acceptance = s.rate.at(gamma, contextOf(workload))
    const target = s.target?.(asked, acceptance.tokens / (gamma + 1)) ?? asked
    checkRollback(target, gamma)
    const stack = workload.stack
    const drafting: Workload = {
      stack,
      groups: active.map((g) => ({ ...later(g, (gamma - 1) / 2), query: 1, logits: 1 })),
    }
    const checked: Workload = { stack, groups: [...active.map((g) => checking(g, gamma + 1)), ...prompts(workload)] }
    const steps: Step[] = [
      { name: 'draft', on: 'target', deployment: draft, workload: drafting, times: gamma },
      { name: 'verify', on: 'target', deployment: target, workload: checked, times: 1 },
    ]
    const reading = { stack, groups: prompts(workload) }
    if (s.prefills && reading.groups.length > 0) {
      steps.unshift({ name: 'draft prefill', on: 'target', deployment: draft, workload: reading, times: 1 })
    }
    return {
      start: [...encoders(target, workload), ...draftEncoders(draft, target, workload)],
      steps,
      holds: { deployment: target, workload: checked },
      beside: [besideOf(s, draft, target, checked)],
      tokens: acceptance.tokens,
      sample: (random) => acceptance.sample(random),
    }
  }
}

/** The largest gamma that a cache can take back: tokens must not have been encoded with others. */
export function mostRevocable({ store }: Deployment): number {
  if (store.rollback === 'pointer') return Number.POSITIVE_INFINITY
  return Math.max(0, (store.wide?.last ?? 0) - 1)
}

function checkRollback(target: Deployment, gamma: number): void {
  const most = mostRevocable(target)
  if (gamma <= most) return
  throw new RangeError(
    `gamma: ${target.store.name} encodes tokens in groups and can take back only what waits in its residual; expected gamma of at most ${most}, got ${gamma}`,
  )
}

/** A pass that brings prompts: the target reads them, and a draft with rows of its own. */
function prompting(s: Speculation, target: Deployment, draft: Deployment, workload: Workload): Round {
  const plain = autoregressive(target, workload)
  const steps = s.prefills && tokens(workload) > 0 ? [...plain.steps, promptStep(draft, workload)] : plain.steps
  const start = [...plain.start, ...draftEncoders(draft, target, workload)]
  return { ...plain, start, steps, beside: [besideOf(s, draft, target, workload)] }
}

function promptStep(draft: Deployment, workload: Workload): Step {
  return { name: 'draft prefill', on: 'target', deployment: draft, workload, times: 1 }
}

function besideOf(s: Speculation, draft: Deployment, target: Deployment, workload: Workload) {
  return { deployment: draft, workload, roles: ownRoles(draft, target), cache: s.cache }
}

/** A draft of its own architecture encodes the source itself; the target's own encoder serves a copy of it. */
export function draftEncoders(draft: Deployment, target: Deployment, workload: Workload): Step[] {
  if (draft.architecture.name === target.architecture.name) return []
  return encoders(draft, workload).map((step) => ({ ...step, name: 'draft encode' }))
}
