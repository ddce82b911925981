// What `quantization_config` says of the released weights: a format for each role of weight, and what they are
// multiplied in. Embeddings, head, router and norms stay as they are unless the config says otherwise.
import type { Architecture, Module, Role } from '../architecture.ts'
import { type Format, type FormatName, format } from '../format.ts'
import type { Draft } from './blocks.ts'
import type { Fields } from './fields.ts'
import { limits } from './fields.ts'
import { type ModuleNames, moduleNames } from './module-names.ts'

export type Released = Pick<Architecture, 'formats' | 'activations' | 'kv'>

/** Roles of products with weights: what a quantizer of "linear layers" takes. */
const linearRoles = ['attention', 'recurrence', 'ffn', 'experts'] as const satisfies readonly Role[]
type LinearRole = (typeof linearRoles)[number]

/** One rule: which modules get which format. */
interface Rule {
  readonly format: Format
  readonly activations?: FormatName | undefined
  /** Names of modules, or patterns; all linear layers where absent. */
  readonly targets?: readonly string[]
}

interface Scheme {
  readonly rules: readonly Rule[]
  readonly excluded: readonly string[]
  /** Roles that the method can take at all. */
  readonly roles?: readonly LinearRole[]
  readonly head?: boolean
}

/** Formats of the released weights, from the field `key`; none where its method is not understood. */
export function released(f: Fields, key: string, draft: Draft, dtype: FormatName): Released {
  const q = f.nearest([key]).inner(key)
  const method = methodOf(q)
  const scheme = Object.hasOwn(methods, method) ? methods[method]?.(q) : undefined
  if (!scheme) {
    f.note(`formats = ${dtype} (${key} of method "${method}" is not understood)`)
    return { formats: {} }
  }
  return { ...apply(f, scheme, draft, dtype), ...cacheFormat(q) }
}

/** Older configs of bitsandbytes do not name themselves. */
function methodOf(q: Fields): string {
  const stated = q.text('quant_method')
  if (stated !== undefined) return stated.toLowerCase()
  return q.has('load_in_4bit') || q.has('load_in_8bit') ? 'bitsandbytes' : ''
}

function apply(f: Fields, scheme: Scheme, draft: Draft, dtype: FormatName): Released {
  const formats: Partial<Record<Role, Format>> = {}
  const excluded = moduleNames(scheme.excluded)
  let activations: FormatName | undefined
  for (const role of scheme.roles ?? linearRoles) {
    const layers = layersWith(draft, role)
    const rule = scheme.rules.find((r) => targeted(r, role, layers))
    if (layers.length === 0 || rule === undefined) continue
    const left = layers.filter((layer) => named(excluded, role, layer)).length
    if (left > 0 && left < layers.length) notePartly(f, role, left, layers.length, rule.format.name, dtype)
    if (2 * left >= layers.length && left > 0) continue
    formats[role] = rule.format
    activations ??= rule.activations
  }
  const [first] = scheme.rules
  if (scheme.head && first) formats.head = first.format
  return { formats, ...(activations ? { activations } : {}) }
}

function notePartly(f: Fields, role: Role, left: number, layers: number, name: string, dtype: FormatName): void {
  const kept = 2 * left >= layers ? dtype : name
  f.note(`formats.${role} = ${kept} in all layers (quantization_config leaves ${left} of ${layers} in ${dtype})`)
}

const roleOfKind: Partial<Record<Module['kind'], LinearRole>> = {
  attention: 'attention',
  'latent-attention': 'attention',
  mamba2: 'recurrence',
  'delta-net': 'recurrence',
  ffn: 'ffn',
  moe: 'experts',
}

/** Layers that have weights of the role. */
function layersWith(draft: Draft, role: LinearRole): number[] {
  const has = (m: Module) =>
    roleOfKind[m.kind] === role || (role === 'ffn' && m.kind === 'moe' && m.shared !== undefined)
  return draft.stacks.flatMap((s) => s.groups.filter((g) => g.modules.some(has)).flatMap((g) => g.layers))
}

/** Names that checkpoints give the modules of a role, per parent. */
const spellings: Readonly<Record<LinearRole, readonly (readonly string[])[]>> = {
  attention: [
    ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj'],
    ['self_attn.q_a_proj', 'self_attn.q_b_proj', 'self_attn.kv_b_proj', 'self_attn.o_proj'],
    ['self_attn.qkv_proj', 'self_attn.o_proj'],
    ['mixer.q_proj', 'mixer.k_proj', 'mixer.v_proj', 'mixer.o_proj'],
  ],
  recurrence: [
    ['linear_attn.in_proj_qkvz', 'linear_attn.out_proj'],
    ['linear_attn.in_proj_qkv', 'linear_attn.in_proj_z', 'linear_attn.out_proj'],
    ['mixer.in_proj', 'mixer.out_proj'],
  ],
  ffn: [
    ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'],
    ['mlp.gate_up_proj', 'mlp.down_proj'],
    ['mlp.shared_experts.gate_proj', 'mlp.shared_experts.up_proj', 'mlp.shared_experts.down_proj'],
    ['mlp.shared_expert.gate_proj', 'mlp.shared_expert.up_proj', 'mlp.shared_expert.down_proj'],
    ['feed_forward.gate_proj', 'feed_forward.up_proj', 'feed_forward.down_proj'],
    [
      'feed_forward.shared_expert.gate_proj',
      'feed_forward.shared_expert.up_proj',
      'feed_forward.shared_expert.down_proj',
    ],
    ['mixer.up_proj', 'mixer.down_proj'],
    ['mixer.shared_experts.up_proj', 'mixer.shared_experts.down_proj'],
  ],
  experts: [
    ['mlp.experts.0.gate_proj', 'mlp.experts.0.up_proj', 'mlp.experts.0.down_proj'],
    ['block_sparse_moe.experts.0.w1', 'block_sparse_moe.experts.0.w2', 'block_sparse_moe.experts.0.w3'],
    ['feed_forward.experts.0.gate_proj', 'feed_forward.experts.0.up_proj', 'feed_forward.experts.0.down_proj'],
    ['mixer.experts.0.up_proj', 'mixer.experts.0.down_proj'],
  ],
}

/** Whether most modules of the role in the layer are named, under any of its spellings. */
function named(names: ModuleNames, role: LinearRole, layer: number): boolean {
  return spellings[role].some((modules) => {
    const hits = modules.filter((module) => names.has(layer, module))
    return 2 * hits.length > modules.length
  })
}

function targeted(rule: Rule, role: LinearRole, layers: readonly number[]): boolean {
  if (rule.targets === undefined || rule.targets.includes('Linear')) return true
  const targets = moduleNames(rule.targets)
  return 2 * layers.filter((layer) => named(targets, role, layer)).length > layers.length
}

/** Integers with a 16-bit scale and, where asymmetric, a zero point of their own width per group. */
function integers(bits: number, group: number | undefined, zero: boolean): Format {
  return {
    name: `int${bits}`,
    bits,
    ...(group === undefined ? {} : { group }),
    groupBits: 16 + (zero ? bits : 0),
    unit: bits === 8 ? 'int8' : 'int4',
    codec: 'affine',
  }
}

/** fp8 with a scale of `scaleBits` per `group` elements; per row where there is no group, none where 0. */
function floats8(scaleBits: number, group?: number): Format {
  return { ...format('fp8'), ...(group === undefined ? {} : { group }), groupBits: scaleBits }
}

function excluded(q: Fields, ...keys: string[]): readonly string[] {
  return keys.flatMap((key) => q.strings(key) ?? [])
}

/** Elements of a two-dimensional block of weights. */
function blockArea(q: Fields, key: string): number | undefined {
  const block = q.counts(key)
  if (block === undefined) return undefined
  if (block.length !== 2) throw q.wrong(key, 'rows and columns', block)
  return block.reduce((a, b) => a * b, 1)
}

/** A scheme's activations: scaled as they come, or by a stored scale. */
function fp8(q: Fields): Scheme {
  const activations = q.text('activation_scheme') === undefined ? undefined : 'fp8'
  const area = blockArea(q, 'weight_block_size')
  const rule = { format: area === undefined ? floats8(0) : floats8(32, area), activations } as const
  return { rules: [rule], excluded: excluded(q, 'modules_to_not_convert', 'ignored_layers') }
}

/** Facebook's per-row fp8 (Llama 3.1 405B). */
function fbgemm(q: Fields): Scheme {
  return { rules: [{ format: floats8(32), activations: 'fp8' }], excluded: excluded(q, 'modules_to_not_convert') }
}

function groupSize(q: Fields): number | undefined {
  const size = q.raw('group_size')
  return size === undefined || size === -1 || size === 0 ? undefined : q.optional('group_size', limits.width)
}

function bitWidth(q: Fields, keys: readonly string[]): number {
  const bits = q.count(keys)
  if (![2, 3, 4, 8].includes(bits)) throw q.wrong(q.spelled(keys), '2, 3, 4 or 8', bits)
  return bits
}

/** GPTQ files keep zero points even where the grid is symmetric. */
function gptq(q: Fields): Scheme {
  const rule = { format: integers(bitWidth(q, ['bits', 'w_bit']), groupSize(q), true) }
  return { rules: [rule], excluded: excluded(q, 'modules_to_not_convert'), head: q.optionalFlag('lm_head') === true }
}

function awq(q: Fields): Scheme {
  const zero = q.optionalFlag('zero_point') ?? true
  const group = q.has('q_group_size') ? q.optional('q_group_size') : groupSize(q)
  const rule = { format: integers(bitWidth(q, ['bits', 'w_bit']), group, zero) }
  return { rules: [rule], excluded: excluded(q, 'modules_to_not_convert') }
}

/** Blocks of 64 codes with a single-precision scale, or an 8-bit one where scales are quantized again (QLoRA). */
function bitsandbytes(q: Fields): Scheme {
  const skipped = excluded(q, 'llm_int8_skip_modules')
  if (q.optionalFlag('load_in_4bit') !== true) {
    return { rules: [{ format: { ...format('int8'), groupBits: 32 }, activations: 'int8' }], excluded: skipped }
  }
  const type = q.text('bnb_4bit_quant_type') ?? q.assume('bnb_4bit_quant_type', 'fp4', "bitsandbytes' default")
  if (type !== 'nf4' && type !== 'fp4') throw q.wrong('bnb_4bit_quant_type', 'nf4 or fp4', type)
  const doubled = q.optionalFlag('bnb_4bit_use_double_quant') === true
  const nf4 = format('nf4')
  return { rules: [{ format: { ...nf4, name: type, groupBits: doubled ? nf4.groupBits : 32 } }], excluded: skipped }
}

/** gpt-oss: only the experts are in MXFP4. */
function mxfp4(q: Fields): Scheme {
  const rules = [{ format: format('mxfp4') }]
  return { rules, excluded: excluded(q, 'modules_to_not_convert'), roles: ['experts'] }
}

/** One weight scheme of compressed-tensors: type, bits, and what shares a scale. */
function weightFormat(w: Fields): Format {
  const bits = w.count('num_bits')
  const type = w.text('type') ?? w.assume('type', 'int', 'default of compressed-tensors')
  const strategy = w.text('strategy')
  const group = groupSize(w)
  if (type === 'int') return integers(checkedBits(w, bits, [2, 3, 4, 8]), group, w.optionalFlag('symmetric') === false)
  if (type !== 'float') throw w.wrong('type', 'int or float', type)
  if (checkedBits(w, bits, [4, 8]) === 4) return format(group === 32 ? 'mxfp4' : 'nvfp4')
  if (strategy === 'block') return floats8(16, blockArea(w, 'block_structure'))
  return strategy === 'tensor' || strategy === undefined ? floats8(0) : floats8(16, group)
}

function checkedBits(w: Fields, bits: number, known: readonly number[]): number {
  if (!known.includes(bits)) throw w.wrong('num_bits', `one of ${known.join(', ')}`, bits)
  return bits
}

function activationFormat(a: Fields): FormatName | undefined {
  const bits = a.count('num_bits')
  if ((a.text('type') ?? 'int') === 'int') return bits === 8 ? 'int8' : bits === 4 ? 'int4' : undefined
  if (bits === 4) return groupSize(a) === 32 ? 'mxfp4' : 'nvfp4'
  return bits === 8 ? 'fp8' : undefined
}

function configGroups(q: Fields): Rule[] {
  const groups = q.inner('config_groups')
  return groups.keys
    .filter((key) => groups.isObject(key))
    .map((key) => groups.inner(key))
    .filter((group) => group.isObject('weights'))
    .map((group) => {
      const targets = group.strings('targets')
      const inputs = group.isObject('input_activations') ? group.inner('input_activations') : undefined
      return {
        format: weightFormat(group.inner('weights')),
        activations: inputs && activationFormat(inputs),
        ...(targets ? { targets } : {}),
      }
    })
}

/** The cache's format where a release says it, as a scheme (compressed-tensors) or by name (ModelOpt). */
function cacheFormat(q: Fields): { kv?: FormatName } {
  const scheme = q.isObject('kv_cache_scheme') ? q.inner('kv_cache_scheme') : undefined
  const name = scheme
    ? `${scheme.text('type') === 'int' ? 'INT' : 'FP'}${scheme.optional('num_bits') ?? ''}`
    : q.text('kv_cache_quant_algo')?.toUpperCase()
  if (name === undefined) return {}
  const known: Readonly<Record<string, FormatName>> = { FP8: 'fp8', INT8: 'int8', NVFP4: 'nvfp4' }
  if (Object.hasOwn(known, name)) return { kv: known[name] as FormatName }
  q.note(`cache = as wide as activations (the cache's format "${name}" is not understood)`)
  return {}
}

function compressedTensors(q: Fields): Scheme | undefined {
  if (!q.isObject('config_groups')) return undefined
  const rules = configGroups(q)
  return rules.length === 0 ? undefined : { rules, excluded: excluded(q, 'ignore') }
}

/** NVIDIA's ModelOpt names an algorithm, or groups as compressed-tensors does. */
function modelopt(q: Fields): Scheme | undefined {
  const algorithm = q.text('quant_algo')?.toUpperCase()
  if (q.isObject('config_groups')) return compressedTensors(q)
  const names = excluded(q, 'ignore', 'exclude_modules')
  if (algorithm === 'FP8') return { rules: [{ format: floats8(0), activations: 'fp8' }], excluded: names }
  if (algorithm === 'NVFP4') return { rules: [{ format: format('nvfp4'), activations: 'nvfp4' }], excluded: names }
  if (algorithm === 'W4A16_AWQ')
    return { rules: [{ format: integers(4, groupSize(q) ?? 128, false) }], excluded: names }
  return undefined
}

const methods: Readonly<Record<string, (q: Fields) => Scheme | undefined>> = {
  'auto-round': gptq,
  awq,
  bitsandbytes,
  'compressed-tensors': compressedTensors,
  fbgemm_fp8: fbgemm,
  fp8,
  gptq,
  'intel/auto-round': gptq,
  modelopt,
  modelopt_fp4: modelopt,
  mxfp4,
}
