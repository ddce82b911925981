// The options of serving: what a fleet is made of, what comes in and what was promised; shared by the simulation and by
// the training of its router.

import { calibrations } from '../../hardware/profile.ts'
import { fusions } from '../../model/deployment.ts'
import { parseArrivals } from '../../simulate/serving/arrivals.ts'
import { engineNames } from '../../simulate/serving/engines.ts'
import { parseService, type Service } from '../../simulate/serving/fleet.ts'
import type { Law } from '../../simulate/serving/law.ts'
import { type Lengths, parseLengths } from '../../simulate/serving/lengths.ts'
import { prefills } from '../../simulate/serving/replica.ts'
import { UsageError } from '../errors.ts'
import { choice, count, each, formatOption, number, numbers, type Parser, weightFormats, word } from '../options.ts'

/** An option of which `parse` throws RangeErrors that do not know its name. */
function parsed<T>(flag: string, parse: (text: string) => T): Parser<T> {
  const one = word(flag)
  return (text, previous) => {
    const value = one(text, previous === undefined ? undefined : '')
    try {
      return parse(value)
    } catch (error) {
      throw error instanceof RangeError ? new UsageError(`${flag}: ${error.message}`) : error
    }
  }
}

const units: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 }

/** Seconds, with a unit or without: 90, 1.5s, 250ms, 10m, 2h. */
export function span(flag: string): Parser<number> {
  return parsed(flag, (text) => {
    const [, value = '', unit = 's'] = /^([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)(ms|s|m|h|d)?$/i.exec(text.trim()) ?? []
    const seconds = value === '' ? Number.NaN : Number(value) * (units[unit.toLowerCase()] ?? Number.NaN)
    if (seconds > 0 && seconds <= 1e9) return seconds
    throw new RangeError(`expected a time above 0, such as 1.5, 250ms or 10m, got ${text}`)
  })
}

export interface WeightedTask {
  readonly name: string
  readonly weight: number
}

/** `piqa,lambada` or `piqa=3,lambada=1`. */
function parseTasks(text: string): readonly WeightedTask[] {
  const tasks = text.split(',').map((part) => {
    const [, name = '', weight = '1'] = /^\s*([^=,]+?)\s*(?:=\s*([0-9.]+))?\s*$/.exec(part) ?? []
    if (name === '' || !(Number(weight) > 0)) {
      throw new RangeError(`expected tasks such as piqa,lambada or piqa=3,lambada=1, got ${part}`)
    }
    return { name, weight: Number(weight) }
  })
  const twice = tasks.find((t, i) => tasks.findIndex((u) => u.name === t.name) !== i)
  if (twice) throw new RangeError(`expected different tasks, got ${twice.name} twice`)
  return tasks
}

/** `1@30:60`: replica 1 is down from 30 to 60 seconds. */
function parseFailure(text: string): { replica: number; at: number; until: number } {
  const [, replica, at, until] = /^([0-9]+)@([0-9.]+):([0-9.]+)$/.exec(text) ?? []
  const failure = { replica: Number(replica), at: Number(at), until: Number(until) }
  if (replica !== undefined && failure.until > failure.at) return failure
  throw new RangeError(`expected REPLICA@FROM:TO in seconds, such as 1@30:60, got ${text}`)
}

export interface Failure {
  readonly replica: number
  readonly at: number
  readonly until: number
}

export function failures(flag: string): Parser<readonly Failure[]> {
  return (text, previous = []) => [...previous, parsed(flag, parseFailure)(text, undefined)]
}

export const fleetOptions = {
  on: ['--on <machine>', 'the machine of each replica', word('--on')],
  replicas: ['--replicas <n>', 'copies of the model (default: 1)', count('--replicas')],
  weights: ['--weights <[role=]format>', 'storage of weights: int4, head=int8; repeatable', weightFormats('--weights')],
  activations: ['--activations <format>', 'what the arithmetic runs in', formatOption('--activations')],
  kv: ['--kv <format>', 'storage of the cache', formatOption('--kv')],
  tp: ['--tp <n>', 'devices of a replica, tensor parallel (default: 1)', count('--tp')],
  pp: ['--pp <n>', 'stages of a replica (default: 1)', count('--pp')],
  ep: ['--ep <n>', 'devices that the experts are spread over (default: 1)', count('--ep')],
  fusion: ['--fusion <kind>', 'attention kernels: flash or unfused', choice('--fusion', fusions)],
  with: ['--with <method[:k=v,...]>', 'a method of `memwall list methods`; repeatable', each('--with')],
  calibration: [
    '--calibration <set>',
    'constants behind step times: none, global or measured',
    choice('--calibration', calibrations),
  ],
} as const

export const stepOptions = {
  batchCap: ['--batch-cap <n>', 'sequences that run at once (default: 256)', count('--batch-cap')],
  tokenCap: ['--token-cap <n>', 'new tokens of a step (default: 16k)', count('--token-cap')],
  prefill: [
    '--prefill <kind>',
    'prompts are read whole beside decoding, chunked beside it, or in steps apart (default: whole)',
    choice('--prefill', prefills),
  ],
  chunk: ['--chunk <n>', 'prompt tokens of a step, where chunked (default: 512)', count('--chunk')],
  prefix: ['--prefix <n>', 'first tokens that all prompts share: read and kept once', count('--prefix')],
  block: ['--block <n>', 'tokens of a block of the cache (default: 16)', count('--block')],
  memoryShare: [
    '--memory-share <share>',
    'of the memory, for weights, cache and work (default: 0.9)',
    number('--memory-share', { above: 0, most: 1 }),
  ],
  engine: [
    '--engine <name>',
    'graph has the times of `predict`; serving is fitted to measured deployments (default: graph)',
    choice('--engine', engineNames),
  ],
  engineS: [
    '--engine-s <s>',
    "the host's seconds per step, beside the kernels (default: 0)",
    number('--engine-s', { least: 0, most: 10 }),
  ],
} as const

export const trafficOptions = {
  prompt: [
    '--prompt <law>',
    'tokens of a prompt: 128, uniform:low=64,high=256, geometric:mean=100, lognormal:mean=300,cv=1, gamma:… (default: 128)',
    parsed<Lengths>('--prompt', parseLengths),
  ],
  output: ['--output <law>', 'tokens of an answer, likewise (default: 48)', parsed<Lengths>('--output', parseLengths)],
  arrivals: [
    '--arrivals <law>',
    'poisson, even, gamma:cv=2, or bursty:cv=1,window=8: a rate drawn for each window (default: poisson)',
    parsed<Law>('--arrivals', parseArrivals),
  ],
  rate: [
    '--rate <r,...>',
    'requests per second; several are answered one after the other',
    numbers('--rate', 1e-9, 1e9),
  ],
  load: ['--load <share,...>', 'the rate as a share of what saturates the fleet', numbers('--load', 1e-6, 100)],
  requests: ['--requests <n>', 'that come in all (default: 10k, without a duration)', count('--requests')],
  duration: ['--duration <time>', 'that they come for: 90, 250ms, 10m, 2h', span('--duration')],
  tasks: [
    '--tasks <name[=weight],...>',
    'tasks of the requests',
    parsed<readonly WeightedTask[]>('--tasks', parseTasks),
  ],
  seed: ['--seed <n>', 'of what is drawn (default: 1)', count('--seed', 0)],
} as const

export const promiseOptions = {
  deadline: ['--deadline <time>', 'from arrival to the last token', span('--deadline')],
  ttftDeadline: ['--ttft-deadline <time>', 'to the first token', span('--ttft-deadline')],
  tpotDeadline: ['--tpot-deadline <time>', 'per token after the first', span('--tpot-deadline')],
  soft: ['--soft <time>', 'after --deadline, until an answer is worth nothing (default: at once)', span('--soft')],
} as const

export const service: Parser<Service | 'model'> = parsed('--service', (text) =>
  text === 'model' ? 'model' : parseService(text),
)
