// T5 (arXiv 1910.10683), its gated version 1.1, FLAN-T5 and mT5: RMS norms, no biases, relative positions by a small table.
import type { Module, Stack } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import {
  crossAttention,
  type Draft,
  embedding,
  feedForward,
  type HeadWidths,
  layersOf,
  norm,
  rms,
  selfAttention,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { tied } from './shape.ts'

/** `relu`, `gated-gelu`, `gated-silu`: the activation, and whether a gate multiplies it. */
function projection(f: Fields, fallback: string): { gated: boolean; activation: string } {
  const stated = f.text('feed_forward_proj') ?? f.assume('feed_forward_proj', fallback, 'default of the family')
  const match = /^(gated-)?([a-z0-9_]+)$/.exec(stated)
  if (!match) throw f.wrong('feed_forward_proj', 'an activation, or gated-<activation>', stated)
  const activation = match[2] as string
  return { gated: match[1] !== undefined, activation: activation.startsWith('gelu') ? 'gelu' : activation }
}

function t5Like(f: Fields, proj: string, ties: boolean): Draft {
  const width = f.count('d_model')
  const heads = f.count('num_heads')
  const h = { width, heads, kvHeads: heads, headDim: f.count('d_kv') }
  f.size('d_kv', heads * h.headDim)
  const mlp = feedForward(width, f.count('d_ff'), projection(f, proj))
  const layers = f.count('num_layers', limits.layers)
  const decoders = f.countOr('num_decoder_layers', layers, 'as many as num_layers', limits.layers)
  const rows = f.count('vocab_size', limits.vocabulary)
  const buckets = f.countOr('relative_attention_num_buckets', 32, 'default of the family')
  return {
    kind: 'encoder-decoder',
    stacks: [
      stack(
        'encoder',
        h,
        rows,
        buckets,
        layersOf(layers, () => encoderLayer(h, mlp)),
        [],
      ),
      stack(
        'decoder',
        h,
        rows,
        buckets,
        layersOf(decoders, () => decoderLayer(h, mlp)),
        [{ kind: 'head', name: 'lm-head', width, vocabulary: rows, tied: tied(f, ties), bias: false }],
      ),
    ],
  }
}

function encoderLayer(h: HeadWidths, mlp: Module): Module[] {
  return [
    norm('input-norm', h.width, rms),
    selfAttention(h, { rotary: 0, causal: false }),
    norm('post-attention-norm', h.width, rms),
    mlp,
  ]
}

function decoderLayer(h: HeadWidths, mlp: Module): Module[] {
  return [
    norm('input-norm', h.width, rms),
    selfAttention(h, { rotary: 0 }),
    norm('cross-norm', h.width, rms),
    crossAttention(h, h.width),
    norm('post-attention-norm', h.width, rms),
    mlp,
  ]
}

/** The token table is one for both stacks; each stack has its table of relative positions. */
function stack(
  name: Stack['name'],
  h: HeadWidths,
  rows: number,
  buckets: number,
  layers: Module[][],
  output: Module[],
): Stack {
  const shared = name === 'decoder' ? { shared: true as const } : {}
  const tables = [
    { name: 'tokens', rows, width: h.width, lookups: 1, ...shared },
    { name: 'relative-positions', rows: buckets, width: h.heads, lookups: 0 },
  ]
  return {
    name,
    width: h.width,
    input: [embedding(tables)],
    groups: groupLayers(layers),
    output: [norm('final-norm', h.width, rms), ...output],
  }
}

export function t5(f: Fields): Draft {
  return t5Like(f, 'relu', true)
}

export function mt5(f: Fields): Draft {
  return t5Like(f, 'gated-gelu', false)
}
