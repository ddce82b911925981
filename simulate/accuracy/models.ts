// Files of whole models: batch-1 decoding of local engines, FasterTransformer's encoders, serving engines. A row is the
// pass that its figure is the time of; what a row does not state (a prompt's length) is assumed and said.

import type { Architecture, Role } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { type DeploymentOptions, deploy } from '../../model/deployment.ts'
import { type Format, format } from '../../model/format.ts'
import { pass } from '../../model/pass.ts'
import { decode, encode } from '../../model/workload.ts'
import { type Case, count, type Line, number, Unmappable } from './case.ts'

const milli = 1e-3

async function model(name: string): Promise<Architecture> {
  try {
    return await loadModel(name)
  } catch (error) {
    throw new Unmappable(error instanceof Error ? error.message : String(error))
  }
}

/** Storage by the names that local engines give it; bits of a mixed quantization are a mean. */
export function storedAs(name: string): Format {
  const exl2 = /^EXL2 ([0-9.]+) bpw$/.exec(name)
  if (exl2) return { ...format('int4'), name: `exl2-${exl2[1]}`, bits: Number(exl2[1]), groupBits: 0 }
  const known: Readonly<Record<string, Format>> = {
    bf16: format('bf16'),
    fp16: format('fp16'),
    fp8: format('fp8'),
    '8-bit': format('int8'),
    '4-bit (G=32)': { ...format('int4'), group: 32, groupBits: 32 },
    'GPTQ g128': { ...format('int4'), group: 128, groupBits: 20 },
    'int4 g32 (q4f16)': { ...format('int4'), group: 32, groupBits: 16 },
  }
  const found = known[name]
  if (!found) throw new Unmappable(`dtype: '${name}' is not known`)
  return found
}

/** Names of other spellings than the presets know. */
const spellings: Readonly<Record<string, string>> = {
  'llama 7b': 'llama-7b',
  'llama 13b': 'llama-13b',
  'llama 33b': 'llama-30b',
  'llama2 7b': 'llama-2-7b',
  'llama2-7b': 'llama-2-7b',
  'llama2-13b': 'llama-2-13b',
  'llama2 70b': 'llama-2-70b',
  'llama2-70b': 'llama-2-70b',
  'codellama 34b': 'codellama-34b',
  'tinyllama 1.1b': 'tinyllama-1.1b',
  'openllama 3b': 'open-llama-3b',
}

/** Tokens per second of one sequence on one device or more. */
export async function batchOne(line: Line): Promise<Case> {
  const name = (line.model ?? '').trim()
  const architecture = await model(spellings[name.toLowerCase()] ?? name)
  const devices = count(line, 'n_gpus')
  const weights = storedAs(line.dtype ?? '')
  // gpt-fast quantizes every linear layer, the head included.
  const whole: Partial<Record<Role, Format>> = weights.bits < 16 ? { head: weights } : {}
  const options: DeploymentOptions = { weights, roles: whole, parallel: { tensor: devices } }
  const prompt = line.prompt_len ? number(line, 'prompt_len') : 128
  const generated = line.gen_len ? number(line, 'gen_len') : 200
  const context = Math.round(prompt + generated / 2)
  const workload = decode(1, context)
  return {
    kind: 'decode-batch-1',
    machine: line.hardware ?? '',
    seconds: 1 / number(line, 'value'),
    basis: 'pass',
    operators: pass(deployed(architecture, options), workload),
    keys: {
      op: 'decode',
      model: name,
      dtype: line.dtype ?? '',
      framework: line.engine ?? '',
      devices: String(devices),
    },
  }
}

function deployed(architecture: Architecture, options: DeploymentOptions) {
  try {
    return deploy(architecture, options)
  } catch (error) {
    throw new Unmappable(error instanceof Error ? error.message : String(error))
  }
}

/** FasterTransformer's BERT: the column that is its plain latency, for rows that state a length. */
export async function fasterTransformer(line: Line): Promise<Case> {
  const column = (line.column ?? '').replaceAll(/\s+/g, ' ')
  if (line.model !== 'bert') throw new Unmappable(`model: '${line.model}' rows do not state all sizes`)
  if (column !== 'FT Latency (ms)') throw new Unmappable(`column: '${column}' is not FasterTransformer's plain latency`)
  if (!line.seq_len) throw new Unmappable('seq_len: the row states none')
  const dtype = (line.precision ?? '').toLowerCase()
  if (dtype !== 'fp16' && dtype !== 'fp32' && dtype !== 'tf32')
    throw new Unmappable(`precision: the row states '${dtype}'`)
  const architecture = await model('bert-base')
  const f = format(dtype)
  return {
    kind: 'encoder-model',
    machine: line.hardware ?? '',
    seconds: number(line, 'value') * milli,
    basis: 'pass',
    operators: pass(
      deploy(architecture, { weights: format(dtype === 'fp16' ? 'fp16' : 'fp32'), activations: f, fusion: 'unfused' }),
      encode(count(line, 'batch'), count(line, 'seq_len')),
    ),
    keys: { op: 'encode', model: 'bert-base', dtype, framework: 'FasterTransformer' },
  }
}

const servingFormats: Readonly<Record<string, Format>> = {
  bf16: format('bf16'),
  fp8: format('fp8'),
  fp4: format('nvfp4'),
  int4: format('int4'),
}

/** Time per output token at a client concurrency: one decode step of that batch, halfway through the output. */
export async function serving(line: Line): Promise<Case> {
  const architecture = await model(line.model_path ?? '')
  const weights = servingFormats[line.precision ?? '']
  if (!weights) throw new Unmappable(`precision: '${line.precision}' is not known`)
  const [tensor, batch] = [count(line, 'tp_size'), count(line, 'batch_size')]
  const routed = architecture.stacks.some((s) => s.groups.some((g) => g.modules.some((m) => m.kind === 'moe')))
  const expert = routed ? Math.max(1, Number(line.moe_ep_size) || 1) : 1
  const data = Math.max(1, Number(line.attention_dp_size) || 1)
  if (data > 1 && data * tensor !== Math.max(tensor, expert)) {
    throw new Unmappable(`attention_dp_size: ${data} copies of tp ${tensor} with ep ${expert} is no layout of ours`)
  }
  const narrow = weights.bits < 16 && weights.name !== 'int4'
  const options: DeploymentOptions = {
    weights,
    activations: narrow ? weights : format('bf16'),
    parallel: { tensor: data > 1 ? 1 : tensor, expert },
  }
  const context = Math.round(count(line, 'isl') + count(line, 'osl') / 2)
  return {
    kind: 'serving',
    machine: line.system ?? '',
    seconds: number(line, 'silicon_tpot_ms') * milli,
    basis: 'pass',
    operators: pass(deployed(architecture, options), decode(batch, context)),
    keys: { op: 'tpot', model: line.model_path ?? '', dtype: line.precision ?? '', framework: line.backend ?? '' },
  }
}
