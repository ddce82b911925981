// A Hugging Face `config.json` becomes an Architecture. The family's reader does the work; this file finds the reader,
// steps into a wrapper's language part and gives the account of what was read.
import type { Architecture } from '../architecture.ts'
import type { FormatName } from '../format.ts'
import { type Family, families } from './families.ts'
import { ConfigError, Fields, isObject, shown } from './fields.ts'

export { ConfigError } from './fields.ts'

/** Reads a config. Throws a ConfigError of one line where it cannot, or where the config contradicts itself. */
export function importConfig(json: unknown, name: string): Architecture {
  if (!isObject(json)) throw new ConfigError(`expected a JSON object, got ${shown(json)} in config of ${name}`)
  const top = new Fields(json, name)
  const f = languagePart(top)
  const type = (f.has('model_type') ? f.text('model_type') : top.text('model_type')) ?? ''
  const family = (families as Record<string, Family>)[type]
  if (!family) throw f.error(`model_type: ${shown(type)} is not known`)
  f.require(family.needs)
  const draft = family.read(f)
  return { name, type, dtype: dtype(f), formats: {}, ...draft, reading: reading(top, f) }
}

/** The text part of a wrapper around a language model. */
function languagePart(top: Fields): Fields {
  return top.has('text_config') ? top.inner('text_config') : top
}

const dtypes: Readonly<Record<string, FormatName>> = {
  float32: 'fp32',
  float16: 'fp16',
  bfloat16: 'bf16',
  float8_e4m3fn: 'fp8',
}

function dtype(f: Fields): FormatName {
  const owner = f.owner(f.spelled(['torch_dtype', 'dtype']))
  const key = owner.spelled(['torch_dtype', 'dtype'])
  const stated = owner.text(key)
  if (stated === undefined) {
    f.assume(key, 'float32', "Transformers' default")
    return 'fp32'
  }
  const known = dtypes[stated.replace(/^torch\./, '')]
  if (!known) throw owner.wrong(key, `one of ${Object.keys(dtypes).join(', ')}`, stated)
  return known
}

function reading(top: Fields, f: Fields): Architecture['reading'] {
  const ignored = top === f ? top.ignored : [...top.ignored, ...f.ignored]
  return { used: top.used, ignored, assumed: top.assumed }
}
