// memwall list: what there is, by name.
import { Command } from '../commander.ts'
import { choice } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'

const things = {
  models: async () => (await import('../views/models.ts')).modelsAnswer(),
  machines: async () => (await import('../views/machines.ts')).machinesAnswer(),
  methods: async () => (await import('../views/methods.ts')).methodsAnswer(),
  kernels: async () => (await import('../views/kernels.ts')).kernelsAnswer(),
}

const words = Object.keys(things) as (keyof typeof things)[]

export function command() {
  return new Command('list')
    .description('What there is: models, machines, methods or kernels.')
    .argument(`<${words.join('|')}>`, 'what to list', choice('list', words))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .action(async (thing, flags) => {
      checkOutput(flags)
      await print(await things[thing](), flags)
    })
}
