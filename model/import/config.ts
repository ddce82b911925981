// A Hugging Face `config.json` becomes an Architecture, at once: every reader is here. Where one may wait, read.ts loads
// only the reader that the config needs.
import type { Architecture } from '../architecture.ts'
import * as bart from './bart.ts'
import * as cohere from './cohere.ts'
import * as dbrx from './dbrx.ts'
import * as deepseek from './deepseek.ts'
import * as encoder from './encoder.ts'
import type { Modules } from './families.ts'
import * as gemma from './gemma.ts'
import * as generic from './generic.ts'
import * as glm from './glm.ts'
import * as gpt from './gpt.ts'
import * as granite from './granite.ts'
import * as hybrid from './hybrid.ts'
import * as llama from './llama.ts'
import * as llama4 from './llama4.ts'
import * as olmo from './olmo.ts'
import * as openai from './openai.ts'
import * as phi from './phi.ts'
import * as quantization from './quantization.ts'
import * as qwen from './qwen.ts'
import { readConfig } from './read.ts'
import * as speech from './speech.ts'
import * as t5 from './t5.ts'
import * as vit from './vit.ts'
import * as whisper from './whisper.ts'

export { ConfigError } from './fields.ts'

const modules = {
  bart,
  cohere,
  dbrx,
  deepseek,
  encoder,
  gemma,
  generic,
  glm,
  gpt,
  granite,
  hybrid,
  llama,
  llama4,
  olmo,
  openai,
  phi,
  quantization,
  qwen,
  speech,
  t5,
  vit,
  whisper,
} satisfies Modules

/** Reads a config. Throws a ConfigError of one line where it cannot, or where the config contradicts itself. */
export function importConfig(json: unknown, name: string): Architecture {
  return readConfig(json, name, modules)
}
