// Rows of engines that one person runs: tokens per second of one sequence. What a row does not state (how long the prompt
// was) is assumed here and nowhere else; weights of mixed bits are their mean.
import type { Role } from '../../model/architecture.ts'
import { deploy, type Parallel } from '../../model/deployment.ts'
import { type Format, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import { chunk, decode } from '../../model/workload.ts'
import { type Case, count, type Line, mapped, measured, number, Unmappable } from './case.ts'
import { modelOf } from './model-name.ts'

/** Integers of so many bits each, scales included. */
function integers(name: string, bits: number): Format {
  return { ...format('int4'), name, bits, groupBits: 0 }
}

const stored: Readonly<Record<string, Format>> = {
  bf16: format('bf16'),
  fp16: format('fp16'),
  fp8: format('fp8'),
  '8-bit': format('int8'),
  // A scale and a zero point of 16 bits each.
  '4-bit (G=32)': { ...format('int4'), group: 32, groupBits: 32 },
  'GPTQ g128': { ...format('int4'), group: 128, groupBits: 20 },
  'int4 g32 (q4f16)': { ...format('int4'), group: 32, groupBits: 16 },
}

/** Storage by the names that these engines give it. */
export function storedAs(name: string): Format {
  const [, bits] = /^EXL2 ([0-9.]+) bpw$/.exec(name) ?? []
  const found = bits === undefined ? stored[name] : integers(name, Number(bits))
  if (!found) throw new Unmappable(`dtype: '${name}' is not known (${Object.keys(stored).join(', ')}, EXL2 N bpw)`)
  return found
}

/** ExLlama keeps the head in 6 bits where the layers have fewer, and in 16 beside GPTQ's 4. */
function headOf(name: string, weights: Format, engine: string): Format | undefined {
  if (weights.bits >= 16) return undefined
  if (!/^exllama/i.test(engine)) return weights
  return name.startsWith('EXL2') ? integers('EXL2 head', 6) : undefined
}

/** Prompt and generated tokens where the row gives none: ExLlama's table was made with short prompts. */
const assumed = { prompt: 8, generated: 256 }

export async function batchOne(line: Line): Promise<Case> {
  const { model = '', dtype = '', engine = '', hardware = '' } = line
  const devices = count(line, 'n_gpus')
  const architecture = await modelOf(model)
  const weights = storedAs(dtype)
  const head = headOf(dtype, weights, engine)
  const prompt = line.prompt_len ? number(line, 'prompt_len') : assumed.prompt
  const generated = line.gen_len ? number(line, 'gen_len') : assumed.generated
  // ExLlama gives each device some layers, which work one after the other.
  const parallel: Partial<Parallel> = /^exllama/i.test(engine) ? { pipeline: devices } : { tensor: devices }
  const deployment = mapped(() => deploy(architecture, { weights, parallel, ...(head && { roles: { head } }) }))
  return {
    kind: devices === 1 ? 'decode-batch-1' : 'decode-batch-1-multi',
    machine: hardware,
    seconds: count(line, 'batch') / measured(line, 'value'),
    whole: true,
    operators: [...pass(deployment, decode(count(line, 'batch'), Math.round(prompt + generated / 2)))],
    keys: { op: 'decode', model, dtype, framework: engine, devices: String(devices) },
  }
}

/** What Ollama pulls by default: 4-bit K-quants of 4.85 bits in the mean; gpt-oss as released. */
const ollamaBits = 4.85

/** What stands in the parentheses is the accelerator; else the machine is named before them. */
export function ollamaMachine(line: Line): string {
  const [, before = '', inside = ''] = /^([^(]*)(?:\((.*)\))?/.exec(line.hardware ?? '') ?? []
  const [apple] = /\bM\d( (Ultra|Max|Pro))?\b/.exec(line.hardware ?? '') ?? []
  if (apple) return apple
  if (line.device === 'GPU' && /^Framework (Desktop|Mainboard) *$/.test(before)) return 'Ryzen AI Max 395'
  if (line.device === 'GPU' && /Nvidia|AMD|Intel/.test(inside)) return inside.replace(/ \d+GB$/, '')
  return before.trim().replace(/ - \d+GB$/, '')
}

export async function ollama(line: Line): Promise<Case> {
  const { model = '', device = '' } = line
  const architecture = await modelOf(model)
  const whole = integers('Q4_K_M', ollamaBits)
  const released = architecture.formats.experts?.name === 'mxfp4'
  const deployment = deploy(architecture, {
    activations: format('fp16'),
    ...(!released && { weights: whole, roles: wholeOf(whole) }),
  })
  return {
    kind: 'ollama',
    machine: ollamaMachine(line),
    seconds: 1 / measured(line, 'value'),
    whole: true,
    operators: [...pass(deployment, decode(1, assumed.prompt + assumed.generated / 2))],
    keys: { op: 'decode', model, framework: 'ollama', dtype: released ? 'released' : whole.name, kernel: device },
  }
}

function wholeOf(weights: Format): Partial<Record<Role, Format>> {
  return { head: weights, embedding: weights }
}

const llamaModels: Readonly<Record<string, string>> = {
  'llama-2-7b.Q4_K_M': 'llama-2-7b',
  'llama-2-7b.Q4_0': 'llama-2-7b',
  'Qwen3-32B-Q8_0': 'qwen3-32b',
}

/** A prompt in pieces of `n_ubatch` tokens, or tokens generated one by one after an empty context. */
export async function llamaCpp(line: Line): Promise<Case> {
  const { model_dir = '', hardware = '', backend = '', build = '', flash_attn = '' } = line
  const name = llamaModels[model_dir] ?? model_dir.replace(/[-.](I?Q\d|[FB]16|BF16).*$/i, '')
  const architecture = await modelOf(name)
  const bits = (8 * number(line, 'model_bytes')) / number(line, 'n_params')
  const weights = integers(`${bits.toFixed(2)} bits`, bits)
  const fusion = flash_attn === 'True' ? 'flash' : 'unfused'
  const deployment = deploy(architecture, { weights, roles: wholeOf(weights), activations: format('fp16'), fusion })
  const [prompt, generated] = [number(line, 'n_prompt'), number(line, 'n_gen')]
  const prefills = prompt > 0
  if (prefills === generated > 0) throw new Unmappable('n_prompt, n_gen: expected one of them above 0')
  const operators: Operator[] = []
  if (prefills) {
    const piece = count(line, 'n_ubatch')
    for (let past = 0; past < prompt; past += piece) {
      const tokens = Math.min(piece, prompt - past)
      operators.push(...pass(deployment, chunk(1, tokens, past, past + tokens >= prompt)))
    }
  } else operators.push(...pass(deployment, decode(1, Math.floor(generated / 2))))
  return {
    kind: prefills ? 'llama.cpp-prefill' : 'llama.cpp-decode',
    machine: hardware,
    seconds: (prefills ? prompt : 1) / measured(line, 'value_tok_s'),
    whole: true,
    operators,
    keys: { op: prefills ? 'prefill' : 'decode', model: model_dir, framework: backend, kernel: build },
  }
}
