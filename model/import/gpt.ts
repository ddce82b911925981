// The decoders of before Llama: GPT-2, GPT-J, GPT-NeoX, OPT, BLOOM, Falcon, MPT. Layer norms and plain feed-forwards.
import type { Attention } from '../architecture.ts'
import {
  allBias,
  type Block,
  biases,
  type Draft,
  type HeadWidths,
  layerNorm,
  linear,
  type NormStyle,
  norm,
  parallelBlock,
  postNorm,
  preNorm,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { core, plainMlp, positions, rotaryWidth, standardDecoder } from './shape.ts'

/** Heads that all keep keys and values, or `kvHeads` that do. */
function plainHeads(f: Fields, kvHeads?: number): HeadWidths {
  const width = f.count(core.width)
  const heads = f.count(core.heads)
  const kv = kvHeads ?? heads
  f.quotient(f.spelled(core.heads), heads, 'key and value heads', kv)
  return { width, heads, kvHeads: kv, headDim: f.quotient(f.spelled(core.width), width, f.spelled(core.heads), heads) }
}

/** A feed-forward four times as wide as the stream unless stated. */
function inner(f: Fields, keys: readonly string[], width: number): number {
  return f.countOr(keys, 4 * width, 'four times the width')
}

const gelu = { field: 'activation_function', usual: 'gelu' }
const unrotated: Partial<Attention> = { rotary: 0, bias: allBias }
const contextNames = ['n_positions', 'max_position_embeddings', 'n_ctx']

/** A learned table of positions beside the tokens'. */
function positionTable(f: Fields, width: number, keys = contextNames, extra = 0) {
  const rows = f.count(keys, limits.tokens)
  return { positions: rows, tables: [{ name: 'positions', rows: rows + extra, width, lookups: 1 }] }
}

export function gpt2(f: Fields): Draft {
  const heads = plainHeads(f)
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    attention: () => unrotated,
    mlp: plainMlp(f, heads.width, inner(f, ['n_inner'], heads.width), gelu),
    tied: true,
    ...positionTable(f, heads.width),
  })
}

/** StarCoder and SantaCoder: GPT-2 with one key and value head. */
export function gptBigCode(f: Fields): Draft {
  const heads = plainHeads(f, f.flag('multi_query', true) ? 1 : undefined)
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    attention: () => unrotated,
    mlp: plainMlp(f, heads.width, inner(f, ['n_inner'], heads.width), gelu),
    tied: true,
    ...positionTable(f, heads.width),
  })
}

/** GPT-Neo: every second layer sees a window; queries, keys and values have no biases. */
export function gptNeo(f: Fields): Draft {
  const heads = plainHeads(f)
  const tokens = f.countOr('window_size', 256, 'default of the family', limits.tokens)
  const local = gptNeoLocal(f)
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    attention: (i) => ({
      rotary: 0,
      bias: biases(false, true),
      reach: local(i) ? { kind: 'window', tokens } : { kind: 'full' },
    }),
    mlp: plainMlp(f, heads.width, inner(f, ['intermediate_size'], heads.width), gelu),
    tied: true,
    ...positionTable(f, heads.width, ['max_position_embeddings']),
  })
}

function gptNeoLocal(f: Fields): (layer: number) => boolean {
  const listed = f.strings('attention_layers')
  if (listed === undefined) {
    f.assume('attention_layers', 'global, local, …', 'default of the family')
    return (layer) => layer % 2 === 1
  }
  const layers = f.count(core.layers, limits.layers)
  if (listed.length !== layers) throw f.error(`attention_layers: ${listed.length} entries for ${layers} layers`)
  return (layer) => listed[layer] === 'local'
}

export function gptj(f: Fields): Draft {
  const heads = plainHeads(f)
  const rotary = Math.min(heads.headDim, f.countOr('rotary_dim', 64, 'default of the family'))
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    block: parallelBlock(1),
    attention: () => ({ rotary }),
    mlp: plainMlp(f, heads.width, inner(f, ['n_inner'], heads.width), gelu),
    headBias: true,
    positions: positions(f, contextNames),
  })
}

export function gptNeox(f: Fields): Draft {
  const heads = plainHeads(f)
  const share = f.multiplier('rotary_pct')
  if (share !== undefined && share > 1) throw f.wrong('rotary_pct', 'at most 1', share)
  const rotary = share === undefined ? rotaryWidth(f, heads.headDim, 0.25) : Math.floor(heads.headDim * share)
  const bias = biases(f.flag('attention_bias', true))
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    block: f.flag('use_parallel_residual', true) ? parallelBlock(2) : preNorm,
    attention: () => ({ rotary, bias }),
    mlp: plainMlp(f, heads.width, f.count('intermediate_size'), { field: 'hidden_act', usual: 'gelu' }),
  })
}

/** OPT; the 350M model has narrower tables and its norms after the sub-layers. */
export function opt(f: Fields): Draft {
  const heads = plainHeads(f)
  const { width } = heads
  const before = f.flag('do_layer_norm_before', true)
  const bias = f.flag('enable_bias', true)
  const scaled = f.flag('layer_norm_elementwise_affine', true)
  const style: NormStyle = scaled ? layerNorm : { type: 'layer', bias: false, scale: false }
  const table = f.countOr('word_embed_proj_dim', width, 'as wide as the stream')
  const final = before && f.optionalFlag('_remove_final_layer_norm') !== true
  return standardDecoder(f, {
    heads,
    style,
    block: before ? preNorm : postNorm,
    attention: () => ({ rotary: 0, bias: biases(bias) }),
    mlp: plainMlp(f, width, f.count('ffn_dim'), { field: 'activation_function', usual: 'relu' }, bias),
    tied: true,
    ...(final ? {} : { finalNorm: false }),
    ...(table === width
      ? {}
      : {
          embeddingWidth: table,
          input: [linear('project-in', 'embedding', table, width)],
          output: [linear('project-out', 'head', width, table)],
        }),
    // The first two rows of the table of positions are never used.
    ...positionTable(f, width, ['max_position_embeddings'], 2),
  })
}

/** BLOOM: ALiBi instead of positions, and a norm on the embedding. */
export function bloom(f: Fields): Draft {
  const heads = plainHeads(f)
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    attention: () => unrotated,
    mlp: plainMlp(f, heads.width, f.size(f.spelled(core.width), 4 * heads.width), { usual: 'gelu' }),
    input: [norm('embedding-norm', heads.width, layerNorm, false)],
    tied: true,
    positions: positions(f, ['seq_length']),
  })
}

/** Falcon: 7B has one key head and one norm, 40B and 180B a few key heads and two norms, 11B one norm. */
export function falcon(f: Fields): Draft {
  // RefinedWeb was the name of 40B before it had its own, and of nothing older.
  const recent = f.flag('new_decoder_architecture', f.text('model_type') === 'RefinedWeb')
  const grouped = recent || !f.flag('multi_query', true)
  const parallel = recent || f.flag('parallel_attn', true)
  const fewHeads = f.optional('num_kv_heads') ?? f.optional('n_head_kv')
  const kvHeads = grouped ? fewHeads : 1
  const heads = plainHeads(f, kvHeads)
  const bias = f.flag('bias', false)
  const rotary = f.flag('alibi', false) ? 0 : heads.headDim
  return standardDecoder(f, {
    heads,
    style: layerNorm,
    block: falconBlock(f, recent, parallel),
    attention: () => ({ rotary, bias: biases(bias) }),
    mlp: plainMlp(
      f,
      heads.width,
      inner(f, ['ffn_hidden_size'], heads.width),
      { field: 'activation', usual: 'gelu' },
      bias,
    ),
    tied: true,
  })
}

function falconBlock(f: Fields, recent: boolean, parallel: boolean): Block {
  if (!parallel) return preNorm
  const norms = f.optional('num_ln_in_parallel_attn') ?? (recent ? 2 : 1)
  return parallelBlock(norms === 2 ? 2 : 1)
}

/** MPT: norms and products without biases, ALiBi or a learned table of positions. */
export function mpt(f: Fields): Draft {
  const heads = plainHeads(f)
  const style: NormStyle = { type: 'layer', bias: false }
  const ratio = f.countOr('expansion_ratio', 4, 'default of the family')
  return standardDecoder(f, {
    heads,
    style,
    attention: () => ({ rotary: 0 }),
    mlp: plainMlp(f, heads.width, f.size('expansion_ratio', ratio * heads.width), { usual: 'gelu' }, false),
    tied: true,
    positions: positions(f, ['max_seq_len']),
  })
}

/** CodeGen has GPT-J's block. */
export const codegen = gptj
