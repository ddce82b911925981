// memwall show: one model, machine or method, with where its figures come from.
import { Command } from '../commander.ts'
import { choice } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

const things = {
  model: async (name: string) => (await import('../views/model.ts')).modelAnswer(await loadModelArgument(name)),
  machine: async (name: string) => (await import('../views/machine.ts')).machineAnswer(await loadMachineArgument(name)),
  method: async (name: string) => (await import('../views/methods.ts')).methodAnswer(name),
}

const words = Object.keys(things) as (keyof typeof things)[]

export function command() {
  return new Command('show')
    .description('A model (or a config.json), a machine or a method, with where its figures come from.')
    .argument(`<${words.join('|')}>`, 'what to show', choice('show', words))
    .argument('<name>', 'its name, or a file')
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .action(async (thing, name, flags) => {
      checkOutput(flags)
      await print(await things[thing](name), flags)
    })
}
