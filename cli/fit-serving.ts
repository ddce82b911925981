#!/usr/bin/env node
// Fits the engine `serving` to a file of measured deployments and writes it, with how wrong it is where it was not fitted.
// `npm run fit:serving -- serving.csv`; not a command of the product, which ships the result.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nelderMead } from '../hardware/fit/nelder-mead.ts'
import { profileOf } from '../hardware/profile.ts'
import { Unmappable } from '../simulate/accuracy/case.ts'
import { errors } from '../simulate/accuracy/score.ts'
import { steadyOf } from '../simulate/accuracy/simulated.ts'
import { type Engine, graph } from '../simulate/engine.ts'
import { machineOf } from './accuracy.ts'
import { describeError, exitCode } from './errors.ts'
import { measuredRows } from './measured.ts'
import { writeWhole } from './output.ts'

/** A row's time per output token is a sum: what kernels and collectives take of it. Seconds. */
interface Row {
  readonly measured: number
  readonly kernels: number
  readonly network: number
  readonly keys: Readonly<Record<string, string>>
}

type Parameters = readonly [kernels: number, network: number]

const alone = (kernels: number, network: number): Engine => ({ ...graph, name: 'part', kernels, network })

async function rowsOf(path: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const measured of measuredRows(path)) {
    if ('why' in measured || !measured.of.served) continue
    const { served, seconds, keys } = measured.of
    try {
      const machine = await machineOf(measured.of.machine)
      const part = (engine: Engine) => steadyOf(served, profileOf(machine, 'global'), engine).tpot
      const parts = { kernels: part(alone(1, 0)), network: part(alone(0, 1)) }
      rows.push({ measured: seconds, ...parts, keys: { ...keys, machine: machine.name } })
    } catch (error) {
      if (!(error instanceof Unmappable)) throw error
    }
  }
  return rows
}

const errorsOf = (rows: readonly Row[], [kernels, network]: Parameters) =>
  errors(rows, (r) => kernels * r.kernels + network * r.network)

/** Least mean absolute percentage error, to three digits: more would be noise. */
function fitted(rows: readonly Row[]): Parameters {
  const loss = ([kernels = 1, network = 1]: readonly number[]) => errorsOf(rows, [kernels, network]).mape
  const [kernels = 1, network = 1] = nelderMead(loss, [1, 1], [0.3, 0.1], [2, 2])
  return [digits(kernels), digits(network)]
}

const digits = (x: number) => Number(x.toPrecision(3))

/** Each group by the parameters of the others, and all such rows together. */
function heldOut(rows: readonly Row[], key: string) {
  const names = [...new Set(rows.map((r) => r.keys[key] ?? ''))].sort()
  const groups = names.map((name) => {
    const own = rows.filter((r) => r.keys[key] === name)
    const [kernels, network] = fitted(rows.filter((r) => r.keys[key] !== name))
    return { held_out: name, ...summary(own, [kernels, network]), kernels, network }
  })
  const mape = groups.reduce((sum, g) => sum + g.mape * g.rows, 0) / rows.length
  return { by: key, mape: digits(mape), groups }
}

function summary(rows: readonly Row[], parameters: Parameters) {
  const { mape, bias } = errorsOf(rows, parameters)
  return { rows: rows.length, mape: digits(mape), bias: digits(bias) }
}

async function main([file]: readonly string[]): Promise<void> {
  if (file === undefined) throw new RangeError('fit:serving: expected serving.csv, got no file')
  const rows = await rowsOf(file)
  const dense = rows.filter((r) => r.keys.layers === 'dense')
  const experts = rows.filter((r) => r.keys.layers === 'experts')
  if (dense.length === 0) throw new RangeError(`${file}: expected rows of dense models, got none`)
  const [kernels, network] = fitted(dense)
  const result = {
    engine: { kernels, network },
    fit: {
      file: 'serving.csv',
      sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
      fitted_on: 'dense models',
      dense: summary(dense, [kernels, network]),
      unfitted: summary(dense, [1, 1]),
      ...(experts.length > 0 && { experts: summary(experts, [kernels, network]) }),
      held_out: ['model', 'machine', 'framework'].map((key) => heldOut(dense, key)),
    },
  }
  const json = `${JSON.stringify(result, null, 2)}\n`
  writeWhole(fileURLToPath(new URL('../../simulate/serving/engine.json', import.meta.url)), json)
  process.stdout.write(json)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${describeError(error, (process.env.MEMWALL_DEBUG ?? '') !== '')}\n`)
  process.exitCode = exitCode(error)
}
