// Rows of serving engines: the time per output token at a client concurrency. The operators are those of one decode step
// of that batch, halfway through the output, without prefills between steps; `served` is what a simulation takes.
import type { Architecture } from '../../model/architecture.ts'
import { type DeploymentOptions, deploy, type Parallel } from '../../model/deployment.ts'
import { type Format, format } from '../../model/format.ts'
import { pass } from '../../model/pass.ts'
import { decode } from '../../model/workload.ts'
import { type Case, count, type Line, mapped, measured, number, Unmappable } from './case.ts'
import { modelOf } from './model-name.ts'

const formats: Readonly<Record<string, Format>> = {
  bf16: format('bf16'),
  fp8: format('fp8'),
  fp4: format('nvfp4'),
  int4: format('int4'),
}

function routes(a: Architecture): boolean {
  return a.stacks.some((s) => s.groups.some((g) => g.modules.some((m) => m.kind === 'moe')))
}

/**
 * The layout. Rows with experts cut both ways state the product of both as `tp_size` or `attention_dp_size` (64 where
 * their id says tp8 ep8): the devices are the experts' ways.
 */
export function layoutOf(line: Line, routed: boolean): Parallel {
  const [tensor, expert, cut] = [count(line, 'tp_size'), ways(line, 'moe_ep_size'), ways(line, 'moe_tp_size')]
  const pipeline = ways(line, 'pp_size')
  const data = ways(line, 'attention_dp_size')
  const both = expert > 1 && expert === cut && tensor * data === expert * cut
  // Attention copies that are counted once more among the experts' ways (16 where their id says tp4 ep4 of four devices).
  const twice = data > 1 && tensor === data && expert === tensor * data
  const devices = both ? expert : twice ? data : tensor * data
  if (!routed) return { tensor: devices / data, expert: 1, pipeline }
  if (data > 1) return { tensor: 1, expert: devices, pipeline }
  return { tensor: devices, expert: Math.min(expert, devices), pipeline }
}

/** A column that may be empty or 0, which is 1. */
function ways(line: Line, column: string): number {
  return Math.max(1, Number(line[column]) || 1)
}

function optionsOf(line: Line, architecture: Architecture): DeploymentOptions {
  const weights = formats[line.precision ?? '']
  if (!weights) throw new Unmappable(`precision: '${line.precision ?? ''}' is not known`)
  // gpt-oss is released in 4 bits and served so.
  if (architecture.formats.experts?.name === 'mxfp4') return {}
  const computes = weights.unit === 'fp8' || weights.unit === 'fp4'
  return { weights, activations: computes ? format(weights.unit === 'fp8' ? 'fp8' : 'nvfp4') : format('bf16') }
}

export async function serving(line: Line): Promise<Case> {
  const { model_path = '', system = '', precision = '', backend = '', backend_version = '' } = line
  const architecture = await modelOf(model_path)
  const routed = routes(architecture)
  const parallel = layoutOf(line, routed)
  // Concurrency is each attention copy's.
  const batch = Math.max(1, Math.round(number(line, 'batch_size') * ways(line, 'attention_dp_size')))
  const [prompt, output] = [count(line, 'isl'), count(line, 'osl')]
  const context = Math.round(prompt + output / 2)
  const deployment = mapped(() => deploy(architecture, { ...optionsOf(line, architecture), parallel }))
  return {
    kind: 'serving',
    machine: system,
    seconds: measured(line, 'silicon_tpot_ms') * 1e-3,
    whole: true,
    operators: [...pass(deployment, decode(batch, context))],
    served: { deployment, loop: { clients: batch, prompt, output }, ttft: ttftOf(line) },
    keys: {
      op: 'tpot',
      model: model_path,
      dtype: precision,
      framework: backend,
      version: backend_version,
      layers: routed ? 'experts' : 'dense',
      devices: String(Math.max(parallel.tensor, parallel.expert)),
    },
  }
}

/** For information: many files state none. */
function ttftOf(line: Line): number | undefined {
  const milliseconds = Number(line.silicon_ttft_ms || Number.NaN)
  return milliseconds > 0 ? milliseconds * 1e-3 : undefined
}

/** Maximum throughput: the batch that reached it is not in the file. */
export function throughput(): never {
  throw new Unmappable('the row states no batch or concurrency')
}
