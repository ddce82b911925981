// Parameters of each module, counted from its shapes, by the role of the weight. The only place that knows which
// weights a module has; the bytes of a deployment and the counts of `show model` both come from here.
import type {
  Architecture,
  Attention,
  LatentAttention,
  Module,
  RelativeAttention,
  Role,
  TemporalConvolution,
} from './architecture.ts'

/** One weight: a matrix of `rows` × `columns`, `copies` times (experts). `columns` is the contracted width. */
export interface Weight {
  readonly role: Role
  readonly rows: number
  readonly columns: number
  readonly copies: number
  /** Split over the ranks of tensor parallelism (else every rank keeps it whole). */
  readonly split: boolean
  /** At most into this many parts (key and value heads): more ranks keep copies. */
  readonly parts?: number
  /** Share of it that one token passes through (routed experts). */
  readonly active: number
}

function weight(role: Role, rows: number, columns: number, more: Partial<Weight> = {}): Weight {
  return { role, rows, columns, copies: 1, split: false, active: 1, ...more }
}

const split = { split: true }

function vector(role: Role, length: number, present = true): Weight[] {
  return present && length > 0 ? [weight(role, 1, length)] : []
}

/** Output width of the fused query, key and value projection of a self-attention layer. */
export function projectionWidths(a: Attention): { query: number; key: number; value: number; output: number } {
  const valueDim = a.valueDim ?? a.headDim
  const own = a.borrowed ? 0 : a.kvHeads
  return {
    query: a.heads * a.headDim * (a.gate ? 2 : 1),
    key: own * a.headDim,
    value: a.keyIsValue ? 0 : own * valueDim,
    output: a.heads * valueDim,
  }
}

function attention(a: Attention): Weight[] {
  const { query, key, value, output } = projectionWidths(a)
  const norm = a.queryKeyNorm
  const kvWidth = a.source?.width ?? a.width
  const normed = norm === undefined || norm.scale === false ? 0 : norm.over === 'head' ? 1 : a.heads
  const normedKeys = normed === 0 || a.borrowed ? 0 : norm?.over === 'head' ? 1 : a.kvHeads
  const perNorm = norm?.type === 'layer' ? 2 : 1
  return [
    weight('attention', query, a.width, split),
    ...(key > 0 ? [weight('attention', key, kvWidth, { split: true, parts: a.kvHeads })] : []),
    ...(value > 0 ? [weight('attention', value, kvWidth, { split: true, parts: a.kvHeads })] : []),
    weight('attention', a.width, output, split),
    ...vector('norm', query, a.bias.query),
    ...vector('norm', key, a.bias.key),
    ...vector('norm', value, a.bias.value),
    ...vector('norm', a.width, a.bias.output),
    ...vector('norm', (normed + normedKeys) * a.headDim * perNorm),
    ...vector('norm', a.valueDim ?? a.headDim, a.valueNorm?.scale ?? false),
    ...vector('norm', a.heads, a.sinks ?? false),
  ]
}

function latentAttention(a: LatentAttention): Weight[] {
  const queryWidth = a.heads * (a.nopeDim + a.ropeDim)
  const index = a.indexer
  return [
    ...(a.queryRank === undefined
      ? [weight('attention', queryWidth, a.width, split)]
      : [
          weight('attention', a.queryRank, a.width),
          ...vector('norm', a.queryRank),
          weight('attention', queryWidth, a.queryRank, split),
        ]),
    weight('attention', a.kvRank + a.ropeDim, a.width),
    ...vector('norm', a.kvRank),
    weight('attention', a.heads * (a.nopeDim + a.valueDim), a.kvRank, split),
    weight('attention', a.width, a.heads * a.valueDim, split),
    ...vector('norm', a.queryRank ?? 0, a.bias),
    ...vector('norm', a.kvRank + a.ropeDim, a.bias),
    ...vector('norm', a.width, a.bias),
    ...(index
      ? [
          weight('attention', index.heads * index.headDim, a.queryRank ?? a.width),
          weight('attention', index.headDim, a.width),
          weight('attention', index.heads, a.width),
          ...vector('norm', 2 * index.headDim),
        ]
      : []),
  ]
}

function relativeAttention(a: RelativeAttention): Weight[] {
  const inner = a.heads * a.headDim
  return [
    weight('attention', 3 * inner, a.width, split),
    weight('attention', inner, a.width, split),
    weight('attention', a.width, inner, split),
    ...vector('norm', 3 * inner + a.width, a.bias),
    // A bias of content and one of position for each head.
    ...vector('norm', 2 * inner),
  ]
}

/** Inputs that each output of a convolution sums up. */
export function tapsOf({ channels, groups, time, features }: TemporalConvolution): number {
  return (channels.input / groups) * time.kernel * (features?.kernel ?? 1)
}

/** Every weight of one instance of the module. */
export function weights(m: Module): Weight[] {
  switch (m.kind) {
    case 'norm':
      return m.scale === false ? [] : vector('norm', m.width * (m.bias ? 2 : 1))
    case 'scale':
      return vector('norm', 2 * m.width)
    case 'add':
    case 'upsample':
      return []
    case 'relative-attention':
      return relativeAttention(m)
    case 'attention':
      return attention(m)
    case 'latent-attention':
      return latentAttention(m)
    case 'mamba2': {
      const inner = m.heads * m.headDim
      const convolved = inner + 2 * m.groups * m.state
      const projected = inner + convolved + m.heads
      return [
        weight('recurrence', projected, m.width, split),
        weight('convolution', convolved, m.kernel, split),
        weight('recurrence', m.width, inner, split),
        ...vector('norm', convolved, m.convolutionBias),
        ...vector('norm', projected + m.width, m.projectionBias),
        ...vector('norm', 3 * m.heads + inner),
      ]
    }
    case 'delta-net': {
      const keys = m.keyHeads * m.keyDim
      const values = m.valueHeads * m.valueDim
      return [
        weight('recurrence', 2 * keys + 2 * values + 2 * m.valueHeads, m.width, split),
        weight('convolution', 2 * keys + values, m.kernel, split),
        weight('recurrence', m.width, values, split),
        ...vector('norm', 2 * m.valueHeads + m.valueDim),
      ]
    }
    case 'ffn':
      return [
        weight('ffn', m.hidden * (m.gated ? 2 : 1), m.width, split),
        weight('ffn', m.width, m.hidden, split),
        ...vector('norm', m.hidden * (m.gated ? 2 : 1) + m.width, m.bias),
      ]
    case 'moe': {
      const inner = m.latent ?? m.width
      const routed = { copies: m.experts, split: true, active: m.active / m.experts }
      const up = m.hidden * (m.gated ? 2 : 1)
      return [
        weight('router', m.experts, m.width),
        ...vector('router', m.routerExtra),
        ...(m.latent === undefined ? [] : [weight('ffn', m.latent, m.width), weight('ffn', m.width, m.latent)]),
        weight('experts', up, inner, routed),
        weight('experts', inner, m.hidden, routed),
        ...(m.bias
          ? [{ ...weight('norm', 1, up + inner), copies: m.experts, split: true, active: m.active / m.experts }]
          : []),
        ...(m.shared
          ? [
              weight('ffn', m.shared.hidden * (m.gated ? 2 : 1), m.width, split),
              weight('ffn', m.width, m.shared.hidden, split),
              ...vector('router', m.width, m.shared.gate),
            ]
          : []),
      ]
    }
    case 'linear':
      return [weight(m.role, m.output, m.input), ...vector('norm', m.output, m.bias)]
    case 'convolution': {
      const taps = (m.channels.input / m.groups) * m.kernel.reduce((a, b) => a * b, 1)
      return [weight('convolution', m.channels.output, taps), ...vector('norm', m.channels.output, m.bias)]
    }
    case 'temporal-convolution': {
      const { output } = m.channels
      // Batch norm keeps a mean and a variance beside its factor and offset.
      const vectors = (m.bias ? 1 : 0) + (m.batchNorm ? 4 : 0)
      return [weight('convolution', output, tapsOf(m)), ...vector('norm', vectors * output)]
    }
    case 'embedding':
      return m.tables.filter((t) => !t.shared).map((t) => weight('embedding', t.rows, t.width, split))
    case 'head':
      return [
        ...(m.tied ? [] : [weight('head', m.vocabulary, m.width, split)]),
        ...vector('head', m.vocabulary, m.bias),
      ]
  }
}

/** Elements of a weight, all copies. */
export function elements(w: Weight): number {
  return w.rows * w.columns * w.copies
}

export interface ParameterCount {
  readonly total: number
  /** What one token passes through in the layers: no embedding, no head, `active` of the routed experts. */
  readonly active: number
  readonly embedding: number
  /** Parameters of the head's own; 0 where it is tied to the embedding. */
  readonly head: number
}

/** Counts from shapes. */
export function parameters(a: Architecture): ParameterCount {
  let total = 0
  let active = 0
  let embedding = 0
  let head = 0
  for (const stack of a.stacks) {
    for (const m of [...stack.input, ...stack.output]) {
      for (const w of weights(m)) {
        total += elements(w)
        if (w.role === 'embedding') embedding += elements(w)
        if (w.role === 'head') head += elements(w)
      }
    }
    for (const group of stack.groups) {
      for (const w of group.modules.flatMap(weights)) {
        total += elements(w) * group.layers.length
        active += elements(w) * group.layers.length * w.active
      }
    }
  }
  return { total, active, embedding, head }
}

/** Roles that the model has weights of, in the order of its modules. */
export function weightRoles(a: Architecture): Role[] {
  const modules = a.stacks.flatMap((s) => [...s.input, ...s.groups.flatMap((g) => g.modules), ...s.output])
  return [...new Set(modules.flatMap(weights).map((w) => w.role))]
}
