// The flags of a query where each may take several values, and the request that they make; for sweeps and solvers.

import { parseFigure } from '../model/quantity.ts'
import type { Prices } from '../simulate/cost.ts'
import { noRequest, type Request } from '../simulate/whatif/plan.ts'
import { machineFigures, settings } from '../simulate/whatif/setting.ts'
import { words } from '../simulate/whatif/values.ts'
import { UsageError } from './errors.ts'
import { each, type Parser, word } from './options.ts'
import { queryCommand } from './query.ts'

/** A command with a query's flags, each as it was typed. */
export function requestCommand(name: string, machines: { readonly means: string; readonly plot: boolean }) {
  const command = queryCommand(name, { means: machines.means, parse: word('--on') })
  if (!machines.plot) withoutPlot(command)
  for (const option of command.options) {
    const flag = option.long ?? ''
    const key = flag.slice(2)
    if (key === 'audio') option.description = "the encoder's input in seconds of audio"
    if (Object.hasOwn(settings, key)) option.argParser(word(flag) as Parser<unknown> as never)
    else if (key === 'weights' || key === 'with') option.argParser(each(flag) as Parser<unknown> as never)
  }
  return command
    .optionsGroup('What if:')
    .option(
      '--set <figure=value>',
      `another figure of the machines: ${machineFigures.join(', ')}; bandwidth=4TB/s; repeatable`,
      each('--set'),
    )
    .option(
      '--versus <variant>',
      'beside the query, it with a method or other settings: kvquant:bits=3, or name=small;with=kvquant:bits=3;weights=int4; repeatable',
      each('--versus'),
    )
    .option('--price <dollars>', 'of a device and hour: 2.5, or by machine h100-sxm=2.5,t4=0.35', prices('--price'))
}

/** Takes the option away where nothing would be drawn. */
function withoutPlot(command: { readonly options: readonly { readonly long?: string | undefined }[] }): void {
  const options = command.options as { long?: string }[]
  options.splice(
    options.findIndex((o) => o.long === '--plot'),
    1,
  )
}

export type RequestFlags = Omit<ReturnType<ReturnType<typeof requestCommand>['opts']>, never>

/** The request of the models and machines, separated by commas, and of the flags. */
export function requestOf(models: string, flags: RequestFlags): Request {
  const given = flags as unknown as Readonly<Record<string, string | readonly string[] | undefined>>
  const texts = Object.keys(settings).flatMap((name) => {
    const { [camelCase(name)]: text } = given
    return text === undefined ? [] : [[name, text as string] as const]
  })
  const { weights, with: methods } = given
  return {
    ...noRequest,
    models: words('model', models, /,/),
    machines: words('on', flags.on, /,/),
    settings: Object.fromEntries(texts),
    weights: (weights ?? []) as readonly string[],
    methods: (methods ?? []) as readonly string[],
    figures: flags.set ?? [],
    versus: flags.versus ?? [],
  }
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** `2.5`, or `h100-sxm=2.5,t4=0.35`; dollars per device and hour, above 0. */
export function prices(flag: string): Parser<Prices> {
  return (text, previous = { of: {} }) => {
    let { all } = previous
    const of: Record<string, number> = { ...previous.of }
    for (const part of text.split(',').map((p) => p.trim())) {
      const [, machine, amount = part] = /^([^=]+)=(.*)$/s.exec(part) ?? []
      const value = parseFigure(amount)
      if (!(value > 0 && Number.isFinite(value))) {
        throw new UsageError(
          `${flag}: expected dollars per device and hour above 0, such as 2.5 or t4=0.35, got ${part || 'nothing'}`,
        )
      }
      const twice = machine === undefined ? all !== undefined : Object.hasOwn(of, machine)
      if (twice)
        throw new UsageError(`${flag}: expected one price of ${machine ?? 'all machines'}, got a second: ${part}`)
      if (machine === undefined) all = value
      else of[machine] = value
    }
    return { ...(all !== undefined && { all }), of }
  }
}
