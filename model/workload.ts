// What is asked of a model in one pass: groups of like sequences, each bringing new tokens after a past. Prefill,
// decode, encode, verification, chunks, ragged mixed steps and tree steps are all built here; no other code knows phases.

/** A stretch of the past. `copies` × `sharers` is the group's number of sequences: a stretch read by all is one copy. */
export interface Segment {
  readonly tokens: number
  readonly copies: number
  readonly sharers: number
  /** The same in every step (a document), as opposed to what the user adds. */
  readonly fixed?: true
}

export interface Sequences {
  readonly sequences: number
  /** New tokens that each brings. */
  readonly query: number
  readonly past: readonly Segment[]
  /** Tokens of the encoder that each reads through cross attention. */
  readonly source?: number
  /** Frames that a speech encoder's first layer reads of each; as many as its tokens need where absent. */
  readonly frames?: number
  /** Tokens per sequence that take the head: 1 in prefill, all in verification, 0 in a chunk that is not the last. */
  readonly logits: number
  /** All but the first of the new tokens may be taken back: states are kept for each, windows hold what they then need. */
  readonly revocable?: true
  /** The pass that first brings the sequence: expanded latents, cross keys and values written. */
  readonly prompt?: true
}

export interface Workload {
  /** The stacks that run: the encoder over its source, or the decoder (the only stack of a decoder-only model). */
  readonly stack: 'encoder' | 'decoder'
  readonly groups: readonly Sequences[]
}

/** The first tokens of a past, known beforehand: one document for all sequences (`shared`), or one for each. */
export interface Document {
  readonly tokens: number
  readonly shared: boolean
}

/** A past of `tokens` that every sequence keeps for itself. */
export function ownPast(tokens: number, sequences: number): Segment[] {
  return tokens > 0 ? [{ tokens, copies: sequences, sharers: 1 }] : []
}

/** A past of `tokens` in all, which a document begins. */
function pastOf(tokens: number, sequences: number, document?: Document): Segment[] {
  if (document === undefined || document.tokens === 0) return ownPast(tokens, sequences)
  const copies = document.shared ? 1 : sequences
  const first: Segment = { tokens: document.tokens, copies, sharers: sequences / copies, fixed: true }
  return [first, ...ownPast(tokens - document.tokens, sequences)]
}

/** One new token after `context` cached ones. */
export function decode(sequences: number, context: number, source?: number, document?: Document): Workload {
  return verify(sequences, context, 1, source, document)
}

/** `query` new tokens after `context` cached ones, all of which take the head. */
export function verify(
  sequences: number,
  context: number,
  query: number,
  source?: number,
  document?: Document,
): Workload {
  const past = pastOf(context, sequences, document)
  return { stack: 'decoder', groups: [{ sequences, query, past, logits: query, ...(source && { source }) }] }
}

/** `tokens` of prompt after `past` cached ones; the last position takes the head. */
export function prefill(sequences: number, tokens: number, past = 0, source?: number, document?: Document): Workload {
  return chunk(sequences, tokens, past, true, source, document)
}

/** A piece of a prompt: as `prefill`, and only the last piece takes the head. */
export function chunk(
  sequences: number,
  tokens: number,
  past: number,
  last: boolean,
  source?: number,
  document?: Document,
): Workload {
  const group = { sequences, query: tokens, past: pastOf(past, sequences, document), logits: last ? 1 : 0 }
  return { stack: 'decoder', groups: [{ ...group, prompt: true, ...(source && { source }) }] }
}

/** `tokens` through the encoder, of a speech encoder made from `frames`. */
export function encode(sequences: number, tokens: number, frames?: number): Workload {
  const group = { sequences, query: tokens, past: [], logits: 1, prompt: true } as const
  return { stack: 'encoder', groups: [frames === undefined ? group : { ...group, frames }] }
}

/** One step of a tree: `leaves` sequences per tree that share a prefix and have a stretch of their own. */
export function tree(trees: number, leaves: number, prefix: number, own: number): Workload {
  const past = [
    ...(prefix > 0 ? [{ tokens: prefix, copies: trees, sharers: leaves }] : []),
    ...ownPast(own, trees * leaves),
  ]
  return { stack: 'decoder', groups: [{ sequences: trees * leaves, query: 1, past, logits: 1 }] }
}

/** Several workloads of one stack in one pass (continuous batching). */
export function mixed(...parts: readonly Workload[]): Workload {
  const stack = parts[0]?.stack ?? 'decoder'
  if (parts.some((p) => p.stack !== stack)) throw new Error('A mixed pass runs one stack: got encoder and decoder work')
  return { stack, groups: parts.flatMap((p) => p.groups) }
}

/** New tokens of the whole pass. */
export function tokens(w: Workload): number {
  let sum = 0
  for (const g of w.groups) sum += g.sequences * g.query
  return sum
}

/** Cached tokens before the pass that one sequence of the group has. */
export function pastTokens(g: Sequences): number {
  let sum = 0
  for (const s of g.past) sum += s.tokens
  return sum
}
