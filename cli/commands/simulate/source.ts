// What the simulations of speculation share: where tokens come from (a trace or a synthetic task), and where the seconds
// of a step come from (given, or two models on a machine).
import { type Line, parseLines, TraceError } from '../../../simulate/speculation/lines.ts'
import { type ModelSteps, modelSteps, type StepMode, stepModes } from '../../../simulate/speculation/steps.ts'
import { pairWarnings } from '../../../simulate/speculation/vocabulary.ts'
import { FileError, UsageError } from '../../errors.ts'
import { choice, count, seconds, word } from '../../options.ts'
import { loadMachineArgument, loadModelArgument, readLines } from '../../source.ts'

export const stepOptions = {
  smallS: ['--small-s <s>', 'seconds of a step of the small model', seconds('--small-s')],
  largeS: ['--large-s <s>', 'seconds of a step of the large model', seconds('--large-s')],
  model: ['--model <model>', 'the large model, in place of seconds', word('--model')],
  small: ['--small <model>', 'the small model', word('--small')],
  on: ['--on <machine>', 'the machine that runs both', word('--on')],
  mode: [
    '--mode <mode>',
    'bound: the roofline; eager: launches of each layer in Python too (default: bound)',
    choice('--mode', stepModes),
  ],
  context: ['--context <n>', 'cached tokens that a step reads (default: half a text, or 512)', count('--context')],
  source: ['--source <n>', "the encoder's tokens (default: 512)", count('--source')],
  passS: ['--pass-s <s>', "eager: the host's seconds per pass (default: measured on T5)", seconds('--pass-s')],
  layerS: ['--layer-s <s>', "eager: the host's seconds per layer (default: measured on T5)", seconds('--layer-s')],
} as const

export interface StepFlags {
  readonly smallS?: number | undefined
  readonly largeS?: number | undefined
  readonly model?: string | undefined
  readonly small?: string | undefined
  readonly on?: string | undefined
  readonly mode?: StepMode | undefined
  readonly context?: number | undefined
  readonly source?: number | undefined
  readonly passS?: number | undefined
  readonly layerS?: number | undefined
}

export interface Steps extends Omit<ModelSteps, 'operations'> {
  /** Arithmetic of a small step over that of a large one; of given seconds nothing is known. */
  readonly operations: number | null
  readonly mode: 'given' | StepMode
  /** Cached tokens that the steps of models read. */
  readonly context: number | null
  readonly models: { readonly small: string; readonly large: string; readonly machine: string } | null
}

/** The seconds that the flags give, or that they ask of models on a machine, `usualContext` tokens cached by default. */
export async function stepsOf(flags: StepFlags, usualContext: number): Promise<Steps> {
  return flags.smallS === undefined && flags.largeS === undefined ? modelled(flags, usualContext) : given(flags)
}

function given({ smallS, largeS, ...others }: StepFlags): Steps {
  if (smallS === undefined || largeS === undefined) throw new UsageError('expected both --small-s and --large-s')
  const other = Object.entries(others).find(([name, value]) => stepNames.has(name) && value !== undefined)?.[0]
  if (other !== undefined) {
    throw new UsageError(`${flagOf(other)}: expected seconds of steps or models on a machine, got both`)
  }
  const warnings = smallS > largeS ? ['the small model is slower than the large one: it can only cost'] : []
  return { mode: 'given', models: null, context: null, operations: null, small: smallS, large: () => largeS, warnings }
}

const stepNames: ReadonlySet<string> = new Set(Object.keys(stepOptions))

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

async function modelled(flags: StepFlags, usualContext: number): Promise<Steps> {
  const { model, small, on, mode = 'bound', context = usualContext, source, passS, layerS } = flags
  if (model === undefined || small === undefined || on === undefined) {
    throw new UsageError('expected --small-s and --large-s, or --model, --small and --on')
  }
  if (mode !== 'eager' && (passS ?? layerS) !== undefined) {
    throw new UsageError(`${passS === undefined ? '--layer-s' : '--pass-s'}: expected --mode eager, got ${mode}`)
  }
  if ((passS === undefined) !== (layerS === undefined)) throw new UsageError('expected both --pass-s and --layer-s')
  const [large, draft, machine] = await Promise.all([
    loadModelArgument(model),
    loadModelArgument(small),
    loadMachineArgument(on),
  ])
  if (source !== undefined && large.kind !== 'encoder-decoder' && draft.kind !== 'encoder-decoder') {
    throw new UsageError(`--source: expected a model with an encoder, got ${large.name}`)
  }
  const launch = passS === undefined || layerS === undefined ? {} : { launch: { pass: passS, layer: layerS } }
  const pair = pairWarnings(draft, large)
  const steps = modelSteps({
    small: draft,
    large,
    machine,
    mode,
    context,
    ...(source !== undefined && { source }),
    ...launch,
  })
  const models = { small: draft.name, large: large.name, machine: machine.name }
  return { ...steps, mode, models, context, warnings: [...pair, ...steps.warnings] }
}

/** The lines of a trace, read by `parse`. Throws FileError with the line that is wrong. */
export async function readTrace<T>(path: string, parse: (lines: readonly Line[]) => T): Promise<T> {
  const text = readLines(path)
  try {
    return parse(parseLines(text))
  } catch (error) {
    throw error instanceof TraceError ? new FileError(`${path}: ${error.message}`) : error
  }
}
