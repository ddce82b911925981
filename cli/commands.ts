// The commands by name. Each is loaded only when it is asked for; of the others, help knows a sentence.
import type { CommandUnknownOpts } from './commander.ts'

interface Row {
  readonly summary: string
  /** A command that has commands of its own loads the one that the arguments name. */
  readonly load: () => Promise<{ command(args: readonly string[]): CommandUnknownOpts | Promise<CommandUnknownOpts> }>
}

export const commands: Readonly<Record<string, Row>> = {
  predict: {
    summary: 'what a model costs on a machine, and what a method changes',
    load: () => import('./commands/predict.ts'),
  },
  compare: { summary: 'the same query on several machines, side by side', load: () => import('./commands/compare.ts') },
  sweep: { summary: 'a grid of queries, streamed as rows or drawn', load: () => import('./commands/sweep.ts') },
  solve: { summary: 'the value of a parameter at which a condition turns', load: () => import('./commands/solve.ts') },
  list: { summary: 'the models, machines, methods or kernels there are', load: () => import('./commands/list.ts') },
  show: { summary: 'a model, machine or method, with its sources', load: () => import('./commands/show.ts') },
  measure: {
    summary: 'kernels on the machine at hand, checked and timed',
    load: () => import('./commands/measure.ts'),
  },
  simulate: {
    summary: 'what chance decides: speculation, search, serving',
    load: () => import('./commands/simulate.ts'),
  },
  'train-router': {
    summary: 'a router that learns which model serves which request',
    load: () => import('./commands/train-router.ts'),
  },
  calibrate: {
    summary: "this machine's ceilings, kept as `local`",
    load: () => import('./commands/calibrate.ts'),
  },
  trends: {
    summary: 'growth of compute, bandwidth and models: the memory wall',
    load: () => import('./commands/trends.ts'),
  },
  train: { summary: 'memory, FLOPs and time of a training step', load: () => import('./commands/train.ts') },
  report: { summary: 'predicted against measured, with charts', load: () => import('./commands/report.ts') },
  accuracy: { summary: 'how far predictions are from measured rows', load: () => import('./commands/accuracy.ts') },
  quantize: {
    summary: 'keys and values quantized: bits, error, savings',
    load: () => import('./commands/quantize.ts'),
  },
  cluster: {
    summary: 'Squeezed Attention on the tensors of a cache',
    load: () => import('./commands/cluster.ts'),
  },
  reproduce: { summary: "a paper's published numbers beside ours", load: () => import('./commands/reproduce.ts') },
}

/** Starts loading the command that the first argument names, beside whatever else is being loaded. */
export function preload(name: string | undefined): void {
  if (name === undefined || !Object.hasOwn(commands, name)) return
  // Whoever asks for it again gets the error.
  commands[name]?.load().catch(() => {})
}
