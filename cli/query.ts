// The flags that ask a what-if question, shared by every command that answers one, and the Query that they make.

import type { Machine } from '../hardware/machine.ts'
import { calibrations } from '../hardware/profile.ts'
import type { Architecture, Role } from '../model/architecture.ts'
import { fusions } from '../model/deployment.ts'
import { weightRoles } from '../model/parameters.ts'
import type { AppliedMethod } from '../simulate/method.ts'
import { phases, type Query } from '../simulate/query.ts'
import { Command } from './commander.ts'
import { UsageError } from './errors.ts'
import { choice, count, each, formatOption, type Parser, plotFile, secondsOfEach, weightFormats } from './options.ts'
import { loadModelArgument, readRounds } from './source.ts'

/** A command about MODEL with the flags of a query; `machines` says what --on takes. */
export function queryCommand<On>(name: string, machines: { readonly means: string; readonly parse: Parser<On> }) {
  return new Command(name)
    .argument('<model>', 'a name of `memwall list models`, a config.json, or a folder holding one')
    .requiredOption('--on <machine>', machines.means, machines.parse)
    .optionsGroup('Workload:')
    .option(
      '--phase <phase>',
      `${phases.join(', ')} (default: decode, or encode for an encoder)`,
      choice('--phase', phases),
    )
    .option('--batch <n>', 'sequences of the pass (default: 1)', count('--batch'))
    .option(
      '--context <n>',
      'cached tokens that a decode step reads, or tokens of a prefill (default: 2048)',
      count('--context'),
    )
    .option('--past <n>', 'tokens cached before a prefill (default: 0)', count('--past', 0))
    .option('--shared <n>', 'the first so many cached tokens are one document of the whole batch', count('--shared', 0))
    .option('--fixed <n>', "the first so many cached tokens are a document, each sequence's own", count('--fixed', 0))
    .option('--source <n>', "the encoder's tokens (T5, BART, Whisper)", count('--source'))
    .option('--audio <s>', "the encoder's input in seconds of audio; 5,12,30 encodes each", secondsOfEach('--audio'))
    .option('--new-tokens <n>', 'add the whole generation of so many tokens', count('--new-tokens'))
    .optionsGroup('Deployment:')
    .option(
      '--weights <[role=]format>',
      'storage of weights: int4, int4:group=64, head=int8; repeatable (default: as released)',
      weightFormats('--weights'),
    )
    .option(
      '--activations <format>',
      'what the arithmetic runs in (default: as released, or the nearest that the machine has)',
      formatOption('--activations'),
    )
    .option('--kv <format>', 'storage of the cache (default: as the activations travel)', formatOption('--kv'))
    .option('--tp <n>', 'devices of tensor parallelism (default: 1)', count('--tp'))
    .option('--pp <n>', 'stages of pipeline parallelism (default: 1)', count('--pp'))
    .option('--ep <n>', 'devices that the experts are spread over (default: 1)', count('--ep'))
    .option(
      '--fusion <kind>',
      'attention kernels: flash, or unfused with scores in memory (default: flash)',
      choice('--fusion', fusions),
    )
    .option('--with <method[:k=v,...]>', 'a method of `memwall list methods`; repeatable', each('--with'))
    .option(
      '--calibration <set>',
      'constants behind `expected`: none, global or measured (default: measured where the machine was calibrated, else global)',
      choice('--calibration', calibrations),
    )
    .optionsGroup('Output:')
    .option('--plot <file>', 'draw the roofline into FILE.png or FILE.svg', plotFile('--plot'))
}

export type QueryFlags = Omit<ReturnType<ReturnType<typeof queryCommand<unknown>>['opts']>, 'on'>

/** The query that the flags ask of a model on a machine. */
export async function queryOf(architecture: Architecture, machine: Machine, flags: QueryFlags): Promise<Query> {
  checkRoles(architecture, Object.keys(flags.weights?.roles ?? {}) as Role[])
  const { phase, batch, context, past, shared, fixed, source, audio, newTokens, calibration, fusion } = flags
  const { activations, kv } = flags
  const parallel = { tensor: flags.tp, pipeline: flags.pp, expert: flags.ep }
  return defined({
    architecture,
    machine,
    phase,
    batch,
    context,
    past,
    shared,
    fixed,
    source,
    audio,
    newTokens,
    calibration,
    deployment: defined({
      weights: flags.weights?.all,
      roles: flags.weights?.roles,
      activations,
      kv,
      fusion,
      parallel: defined(parallel),
    }),
    methods: flags.with ? await methodsOf(flags.with) : [],
  })
}

async function methodsOf(texts: readonly string[]): Promise<AppliedMethod[]> {
  const { parseMethod } = await import('../simulate/method.ts')
  return Promise.all(texts.map((text) => parseMethod(text, { model: loadModelArgument, rounds: readRounds })))
}

/** Refuses a format for weights that the model does not have: it would change nothing. */
function checkRoles(architecture: Architecture, asked: readonly Role[]): void {
  const has = asked.length === 0 ? [] : weightRoles(architecture)
  for (const role of asked) {
    if (has.includes(role)) continue
    const why = role === 'head' ? ' (its head reads the embedding)' : ''
    throw new UsageError(
      `--weights: ${architecture.name} has no ${role} weights${why}; expected one of ${has.join(', ')}`,
    )
  }
}

/** Without what was not given, so that defaults are not overwritten. */
function defined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) as never
}
