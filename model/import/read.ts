// What is the same for every config: it steps into a wrapper's language part, calls the family's reader, and gives the
// account of what was read. Readers are given to it, all by config.ts; or it loads the one that is needed.
import type { Architecture } from '../architecture.ts'
import type { FormatName } from '../format.ts'
import type { Draft } from './blocks.ts'
import { type Family, familyDefaults, familyName, familyOf, files, type Modules } from './families.ts'
import { ConfigError, Fields, isObject, shown } from './fields.ts'
import type { Released } from './quantization.ts'

/** Reads a config as `importConfig` does, by the one reader that it needs. Throws ConfigError. */
export async function loadConfig(json: unknown, name: string): Promise<Architecture> {
  const { f, type } = opened(json, name)
  const file = familyOf(type)?.file ?? 'generic'
  const [reader, quantization] = await Promise.all([
    files[file](),
    quantizationKey(f) === undefined ? undefined : files.quantization(),
  ])
  return readConfig(json, name, { [file]: reader, ...(quantization && { quantization }) })
}

/** Reads a config with the readers that it needs. Throws ConfigError. */
export function readConfig(json: unknown, name: string, modules: Partial<Modules>): Architecture {
  const { top, f, type } = opened(json, name)
  const draft = read(f, type, modules)
  const stored = dtype(f)
  return {
    name,
    type: type || 'unknown',
    dtype: stored,
    ...draft,
    ...formats(f, draft, stored, modules),
    reading: reading(top, f),
  }
}

/** Where the config says how its weights are quantized; undefined where they are not. */
function quantizationKey(f: Fields): string | undefined {
  return ['quantization_config', 'compression_config'].find((key) => f.nearest([key]).has(key))
}

function formats(f: Fields, draft: Draft, dtype: FormatName, { quantization }: Partial<Modules>): Released {
  const key = quantizationKey(f)
  if (key === undefined) return { formats: {} }
  if (!quantization) throw new Error(`Expected the reader of ${key} for ${f.model}, got none`)
  return quantization.released(f, key, draft, dtype)
}

/** The fields of the config and of its language part, and the family that it names. */
function opened(json: unknown, name: string): { top: Fields; f: Fields; type: string } {
  if (!isObject(json)) throw new ConfigError(`expected a JSON object, got ${shown(json)} in config of ${name}`)
  const top = new Fields(json, name)
  const f = languagePart(top)
  return { top, f, type: (f.has('model_type') ? f.text('model_type') : top.text('model_type')) ?? '' }
}

/** Layers for multi-token prediction serve speculation, and no plain decoding step runs them. */
const prediction = ['num_nextn_predict_layers', 'num_mtp_layers', 'mtp_num_hidden_layers', 'num_mtp_modules']

function read(f: Fields, type: string, modules: Partial<Modules>): Draft {
  const family = familyOf(type)
  for (const key of prediction) f.leaveOut(key, 'layers that predict further tokens are left out')
  f.setDefaults(familyDefaults(familyName(type), f.nested))
  if (family) {
    f.require(family.needs)
    return readerOf(family, modules)(f)
  }
  const { generic } = modules
  if (!generic) throw new Error(`Expected the reader of unknown families for ${f.model}, got none`)
  f.require(generic.genericNeeds(f))
  return generic.generic(f, type)
}

function readerOf({ file, reader }: Family, modules: Partial<Modules>): (f: Fields) => Draft {
  const found = (modules[file] as Readonly<Record<string, (f: Fields) => Draft>> | undefined)?.[reader]
  if (!found) throw new Error(`Expected the reader ${reader} of ${file}.ts, got none`)
  return found
}

/** Where wrappers keep the config of their language model. */
const textParts = ['text_config', 'language_config', 'llm_config', 'thinker_config']

/** The language part of a wrapper around vision or audio; the config itself where it is no wrapper. */
function languagePart(top: Fields): Fields {
  let f = top
  for (let key = textKey(f); key !== undefined && f.depth < 3; key = textKey(f)) {
    leaveOutSenses(f)
    f = f.inner(key)
  }
  leaveOutSenses(f)
  return f
}

function textKey(f: Fields): string | undefined {
  return textParts.find((key) => f.isObject(key))
}

function leaveOutSenses(f: Fields): void {
  for (const key of f.keys) {
    const sense = /^(vision|visual|audio|speech|talker|code2wav|image)_?(config|encoder_config|model_config)?$/.exec(
      key,
    )
    if (sense && f.isObject(key)) f.leaveOut(key, `the ${sense[1]} part is left out`)
  }
}

const dtypes: Readonly<Record<string, FormatName>> = {
  float32: 'fp32',
  float16: 'fp16',
  bfloat16: 'bf16',
  float8_e4m3fn: 'fp8',
}

/** The released format; a wrapper and its text part may both say, then the text part's word counts. */
function dtype(f: Fields): FormatName {
  const keys = ['torch_dtype', 'dtype']
  const owner = f.nearest(keys)
  const key = owner.spelled(keys)
  const stated = owner.text(key)
  if (stated === undefined) return assumedDtype(f, key)
  const short = stated.replace(/^torch\./, '')
  if (!Object.hasOwn(dtypes, short)) throw owner.wrong(key, `one of ${Object.keys(dtypes).join(', ')}`, stated)
  return dtypes[short] as FormatName
}

/** Full precision is what Transformers then takes; a quantized release keeps what is left in 16 bits. */
function assumedDtype(f: Fields, key: string): FormatName {
  const quantized = f.nearest(['quantization_config']).has('quantization_config')
  if (quantized) f.assume(key, 'bfloat16', 'what a quantized release leaves')
  else f.assume(key, 'float32', "Transformers' default")
  return quantized ? 'bf16' : 'fp32'
}

function reading(top: Fields, f: Fields): Architecture['reading'] {
  const ignored: string[] = []
  for (let part: Fields | undefined = f; part !== undefined; part = part.outer) ignored.unshift(...part.ignored)
  return { used: top.used, ignored, assumed: top.assumed }
}
