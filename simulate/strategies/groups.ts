// What a speculative round asks of its passes: the groups of a workload that generate, one drafted token or one check at a
// time, and those that still bring a prompt, which every model must read.
import type { Role } from '../../model/architecture.ts'
import { roles } from '../../model/architecture.ts'
import type { Deployment } from '../../model/deployment.ts'
import { type Format, sameFormat } from '../../model/format.ts'
import { pastTokens, type Segment, type Sequences, type Workload } from '../../model/workload.ts'

/** Groups that take one token each in a round of plain decoding. */
export function generating({ groups }: Workload): readonly Sequences[] {
  return groups.filter((g) => g.prompt !== true)
}

export function prompts({ groups }: Workload): readonly Sequences[] {
  return groups.filter((g) => g.prompt === true)
}

/** The longest context among the groups that generate: rates of acceptance are asked at it. */
export function contextOf(workload: Workload): number {
  return generating(workload).reduce((most, g) => Math.max(most, pastTokens(g)), 0)
}

/** Each sequence with so many own tokens more behind it. */
export function later(g: Sequences, tokens: number): Sequences {
  if (tokens === 0) return g
  const own: Segment = { tokens, copies: g.sequences, sharers: 1 }
  const last = g.past.at(-1)
  if (last && last.sharers === 1 && !last.fixed) {
    return { ...g, past: [...g.past.slice(0, -1), { ...last, tokens: last.tokens + tokens }] }
  }
  return { ...g, past: [...g.past, own] }
}

/** `query` new tokens of each sequence, of which all but the first may be taken back. */
export function checking(g: Sequences, query: number): Sequences {
  const logits = query
  return query > 1 ? { ...g, query, logits, revocable: true } : { ...g, query, logits }
}

/**
 * Roles whose weights a second deployment keeps for itself: all of another model or of one that is cut otherwise, else
 * those kept in another format.
 */
export function ownRoles(second: Deployment, first: Deployment): Role[] {
  const cut = (['tensor', 'pipeline', 'expert'] as const).some((way) => second.parallel[way] !== first.parallel[way])
  if (cut || second.architecture.name !== first.architecture.name) return [...roles]
  return roles.filter((role) => !sameFormat(second.weights[role] as Format, first.weights[role] as Format))
}
