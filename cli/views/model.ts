// One model: its parameters, what it keeps of the past, its layers, and what was read from its config.
import {
  type Architecture,
  type LayerGroup,
  layerCount,
  layerLabel,
  type Module,
  mainStack,
  type Stack,
  type TemporalConvolution,
} from '../../model/architecture.ts'
import { deploy, describeWeights } from '../../model/deployment.ts'
import { perToken } from '../../model/memory.ts'
import { elements, parameters, weights } from '../../model/parameters.ts'
import { formatLabel } from '../../model/quantity.ts'
import { rateAfter } from '../../model/rate.ts'
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'
import * as units from '../units.ts'

export function modelAnswer(a: Architecture): Answer {
  const card = modelCard(a)
  return { json: card, view: () => modelView(a, card) }
}

function modelCard(a: Architecture) {
  const deployment = deploy(a)
  const { kvBytesPerToken, stateBytes, layersOf } = perToken(deployment)
  const { used, ignored, assumed } = a.reading
  return {
    name: a.name,
    type: a.type,
    kind: a.kind,
    parameters: parameters(a),
    kv_bytes_per_token: kvBytesPerToken,
    state_bytes: stateBytes,
    layers: layerCount(mainStack(a)),
    layers_of: layersOf,
    positions: a.positions ?? null,
    source_tokens: a.sourceTokens ?? null,
    tokens_per_second: a.tokensPerSecond ?? null,
    stacks: a.stacks.map(stackCard),
    dtype: a.dtype,
    formats: Object.fromEntries(Object.entries(deployment.weights).map(([role, f]) => [role, formatLabel(f)])),
    used,
    ignored,
    assumed,
  }
}

type ModelCard = ReturnType<typeof modelCard>

function stackCard(s: Stack) {
  return {
    name: s.name,
    width: s.width,
    layers: layerCount(s),
    parameters: parametersOf([...s.input, ...s.output]) + s.groups.reduce((n, g) => n + groupParameters(g), 0),
    groups: s.groups.map((g) => ({
      layers: layerLabel(g.layers),
      count: g.layers.length,
      parameters: groupParameters(g),
      rate: rateAfter(g),
      modules: g.modules,
    })),
  }
}

function parametersOf(modules: readonly Module[]): number {
  return modules.flatMap(weights).reduce((n, w) => n + elements(w), 0)
}

function groupParameters(g: LayerGroup): number {
  return parametersOf(g.modules) * g.layers.length
}

interface GroupRow {
  readonly stack: string
  readonly layers: string
  readonly count: number
  readonly rate: number
  readonly parameters: number
  readonly modules: readonly Module[]
}

function modelView(a: Architecture, card: ModelCard) {
  const rows: GroupRow[] = card.stacks.flatMap((s) => s.groups.map((g) => ({ stack: s.name, ...g })))
  const rated = rows.some((g) => g.rate !== 1)
  const groups = table<GroupRow>(
    [
      { key: 'stack', title: 'stack', value: (g) => g.stack },
      { key: 'layers', title: 'layers', value: (g) => g.layers, wraps: true },
      { key: 'count', title: 'x', value: (g) => g.count, align: 'right' },
      {
        key: 'rate',
        ...(rated && { title: 'rate' }),
        value: (g) => g.rate,
        text: (g) => `1/${g.rate}`,
        align: 'right',
      },
      {
        key: 'parameters',
        title: 'total',
        value: (g) => g.parameters,
        text: (g) => units.parameterCount(g.parameters),
        align: 'right',
      },
      { key: 'modules', title: 'modules', value: (g) => g.modules.map(describe).join('; '), wraps: true },
    ],
    rows,
  )
  const p = card.parameters
  const { parameterCount: count } = units
  return {
    table: groups,
    sections: [
      { kind: 'title', text: a.name, under: `${a.type}, ${a.kind}` },
      {
        kind: 'facts',
        rows: [
          [
            'parameters',
            `${count(p.total)}: embedding ${count(p.embedding)}, head ${p.head === 0 ? 'none of its own' : count(p.head)}`,
          ],
          ['active', `${count(p.active)} that a token passes through in the layers`],
          ['KV cache', `${units.bytes(card.kv_bytes_per_token)} per token, as released${windows(a)}`],
          ...(card.state_bytes > 0 ? [['state', `${units.bytes(card.state_bytes)} per sequence`] as const] : []),
          ...(card.positions === null ? [] : [['positions', String(card.positions)] as const]),
          ...(card.source_tokens === null ? [] : [['source', `${card.source_tokens} tokens`] as const]),
          ...(card.tokens_per_second === null
            ? []
            : [['audio', `${card.tokens_per_second} tokens per second`] as const]),
          ['formats', describeWeights(deploy(a))],
        ],
      },
      { kind: 'table', table: groups },
      {
        kind: 'facts',
        rows: [
          ['used', list(card.used)],
          ['ignored', list(card.ignored)],
          ['assumed', list(card.assumed)],
        ],
      },
    ],
  } as const
}

function windows(a: Architecture): string {
  const limited = a.stacks.some((s) =>
    s.groups.some((g) => g.modules.some((m) => m.kind === 'attention' && m.reach.kind !== 'full')),
  )
  return limited ? ', until windows are full' : ''
}

function list(words: readonly string[]): string {
  return words.length === 0 ? 'nothing' : words.join(', ')
}

/** A module in a few words, with the widths that matter; empty norms and additions are left out. */
function describe(m: Module): string {
  switch (m.kind) {
    case 'norm':
    case 'add':
    case 'scale':
      return m.name
    case 'upsample':
      return `${m.name} x${m.factor}`
    case 'temporal-convolution':
      return describeConvolution(m)
    case 'relative-attention':
      return `${m.name} ${m.heads} heads x ${m.headDim}, relative positions`
    case 'attention':
      return `${m.name} ${m.heads}/${m.kvHeads} heads x ${m.headDim}${m.reach.kind === 'full' ? '' : `, ${m.reach.kind} ${m.reach.tokens}`}`
    case 'latent-attention':
      return `${m.name} ${m.heads} heads, latent ${m.kvRank}+${m.ropeDim}`
    case 'mamba2':
      return `${m.name} ${m.heads} heads x ${m.headDim}, state ${m.state}`
    case 'delta-net':
      return `${m.name} ${m.keyHeads}/${m.valueHeads} heads, state ${m.keyDim}x${m.valueDim}`
    case 'ffn':
      return `${m.name} ${m.hidden}${m.gated ? ' gated' : ''} ${m.activation}`
    case 'moe':
      return `${m.name} ${m.active} of ${m.experts} experts x ${m.hidden}${m.shared ? `, shared ${m.shared.hidden}` : ''}`
    case 'linear':
      return `${m.name} ${m.input}x${m.output}`
    case 'convolution':
      return `${m.name} ${m.channels.input}->${m.channels.output}, kernel ${m.kernel.join('x')}`
    case 'embedding':
      return `${m.name} ${m.tables.map((t) => `${t.rows}x${t.width}`).join(', ')}`
    case 'head':
      return `${m.name} ${m.vocabulary}x${m.width}`
  }
}

function describeConvolution({ name, channels, groups, time, features, activation }: TemporalConvolution): string {
  const sides = features ? [time, features] : [time]
  const { input, output } = channels
  const stride = sides.some((s) => s.stride > 1) ? `, stride ${sides.map((s) => s.stride).join('x')}` : ''
  const kernel = `kernel ${sides.map((s) => s.kernel).join('x')}`
  return `${name} ${groups > 1 ? `${output} channels apart` : `${input}->${output}`}, ${kernel}${stride}${activation ? ` ${activation}` : ''}`
}
