// memwall simulate: the stochastic parts, each a command of its own, loaded when it is asked for.
import { nearestHint } from '../../model/nearest.ts'
import { Command, type CommandUnknownOpts } from '../commander.ts'
import { UsageError } from '../errors.ts'

interface Simulation {
  readonly summary: string
  readonly load: () => Promise<{ command(): CommandUnknownOpts }>
}

export const simulations: Readonly<Record<string, Simulation>> = {
  bild: {
    summary: 'big little decoding, token by token: fallbacks, rollbacks, latency',
    load: () => import('./simulate/bild.ts'),
  },
  speculate: {
    summary: 'speculative decoding: closed form and Monte Carlo over gamma',
    load: () => import('./simulate/speculate.ts'),
  },
  search: {
    summary: 'tree search by steps: ETS, REBASE, beam search and DVTS, their cache and cost',
    load: () => import('./simulate/search.ts'),
  },
  serve: {
    summary: 'requests through a router to replicas that batch continuously',
    load: () => import('./simulate/serve.ts'),
  },
}

const names = Object.keys(simulations).join(', ')

/** The command with the simulation that `args` names; of the others, help knows a sentence. */
export async function command(args: readonly string[]): Promise<CommandUnknownOpts> {
  const simulate = new Command('simulate')
    .description('What chance decides: each simulation has its own options, see `memwall simulate NAME --help`.')
    .argument('[simulation]', `one of ${names}`)
    .action((name) => {
      const got = name === undefined ? 'none' : `${name}${nearestHint(name, Object.keys(simulations))}`
      throw new UsageError(`simulate: expected one of ${names}, got ${got}`)
    }) as unknown as CommandUnknownOpts
  for (const [name, { summary, load }] of Object.entries(simulations)) {
    const own: CommandUnknownOpts = args.includes(name) ? (await load()).command() : new Command(name)
    simulate.addCommand(own.summary(summary))
    if (own.description() === '') own.description(summary)
  }
  return simulate
}
