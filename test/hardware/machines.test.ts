// The shipped machines against themselves (clock x units, bus x rate, ratios of dense peaks), their sources, their names,
// and the check of users' files. Nothing here knows a datasheet: a figure that is consistently wrong passes.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { key, loadMachine, loadSources, machineAliases, machineName, machineNames } from '../../hardware/catalog.ts'
import { figures, type Machine, machineKinds } from '../../hardware/machine.ts'
import { parseMachine } from '../../hardware/validate.ts'
import { editDistance, nearest } from '../../model/nearest.ts'

const here = new URL('../../hardware/', import.meta.url)
const machines = await Promise.all(machineNames.map(loadMachine))
const sources = await loadSources()
const each = machines.map((machine) => [machine.name, machine] as const)

// The table of names

test('the catalogue lists every file of machines/, at least 45', () => {
  const files = readdirSync(new URL('machines/', here)).map((file) => file.replace(/\.json$/, ''))
  expect([...machineNames].sort()).toEqual(files.sort())
  expect(machineNames.length).toBeGreaterThanOrEqual(45)
  expect(machines.map((machine) => machine.name)).toEqual(machineNames)
})

test('no machine is loaded before it is asked for', () => {
  expect(readFileSync(new URL('catalog.ts', here), 'utf8')).not.toMatch(/^import .*\.json/m)
})

test('names and aliases are spelled as they are looked up, unique, and none hides another', () => {
  const listed = readFileSync(new URL('catalog.ts', here), 'utf8').matchAll(/aliases: \[([^\]]*)\]/g)
  const aliases = [...listed].flatMap(([, list]) => [...(list ?? '').matchAll(/'([^']+)'/g)].map(([, alias]) => alias))
  const all = [...machineNames, ...aliases]
  expect(aliases).toHaveLength(Object.keys(machineAliases).length)
  expect(new Set(all).size).toBe(all.length)
  for (const spelling of all) expect(key(spelling as string)).toBe(spelling)
})

// Spellings of public measurements, of drivers, and of people.
test.each([
  ['a100_sxm', 'a100-80gb-sxm'],
  ['h100_sxm', 'h100-sxm'],
  ['b200_sxm', 'b200'],
  ['l40s', 'l40s'],
  ['A100', 'a100-80gb-sxm'],
  ['h100', 'h100-sxm'],
  ['T4', 't4'],
  ['B200', 'b200'],
  ['rtx4090', 'rtx-4090'],
  ['RTX 4090', 'rtx-4090'],
  ['RTX 3090', 'rtx-3090'],
  ['RTX 3090Ti', 'rtx-3090-ti'],
  ['RTX 3090 Ti', 'rtx-3090-ti'],
  ['A10G', 'a10g'],
  ['A100-80GB SXM (330 W cap)', 'a100-80gb-sxm'],
  ['MI250X (1 GCD)', 'mi250x-gcd'],
  ['AMD Ryzen AI Max+ 395 / Radeon 8060S', 'ryzen-ai-max-395'],
  ['NVIDIA A100-SXM4-40GB', 'a100-40gb-sxm'],
  ['NVIDIA A100 80GB PCIe', 'a100-80gb-pcie'],
  ['NVIDIA H100 80GB HBM3', 'h100-sxm'],
  ['NVIDIA GH200 480GB', 'gh200'],
  ['NVIDIA GeForce RTX 2080 Ti', 'rtx-2080-ti'],
  ['Tesla V100-SXM2-16GB', 'v100-sxm-16gb'],
  ['AMD Instinct MI300X', 'mi300x'],
  ['Apple M2 Pro', 'm2-pro'],
  ['Xeon Platinum 8480+', 'xeon-8480plus'],
  ['4090', 'rtx-4090'],
  ['a6000', 'rtx-a6000'],
  ['h200-sxm', 'h200'],
  ['a100-40gb', 'a100-40gb-sxm'],
  ['a100-pcie', 'a100-80gb-pcie'],
  ['mi300', 'mi300x'],
  ['v100', 'v100-sxm-16gb'],
  ['orin', 'jetson-agx-orin-64gb'],
  ['strix-halo', 'ryzen-ai-max-395'],
])('%s is %s', (spelling, name) => expect(machineName(spelling)).toBe(name))

test('an unknown machine is an error that names the nearest', async () => {
  await expect(loadMachine('rtx-4900')).rejects.toThrow(/got 'rtx-4900'\. Did you mean rtx-4090, /)
  await expect(loadMachine('constructor')).rejects.toThrow(/^Expected the name of a machine, got 'constructor'/)
})

test('nearest names come by edit distance', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('', 'abc')).toBe(3)
  expect(nearest('h10', ['b200', 'h100', 'h1', 'mi300x', 'h200'], 2)).toEqual(['h100', 'h1'])
  expect(nearest('zzzzzz', ['h100'])).toEqual([])
})

// Sources

test.each(each)('%s: every figure has a source, every source a figure', (_, machine) => {
  const paths = figures(machine).map((figure) => figure.path)
  expect(Object.keys(machine.sources).sort()).toEqual(paths.sort())
})

test.each(each)('%s: sources are codes, addresses, computed or unverified', (_, machine) => {
  for (const { path, source } of figures(machine)) {
    if (source === 'unverified' || source.startsWith('computed: ')) continue
    const strange = source.split(' ').filter((code) => sources[code] === undefined && !code.startsWith('https://'))
    expect(strange, path).toEqual([])
  }
})

test('every listed work is cited', () => {
  const cited = machines.flatMap((machine) => Object.values(machine.sources)).join(' ')
  for (const code of Object.keys(sources)) expect(cited).toMatch(new RegExp(`\\b${code}\\b`))
})

// Figures that follow from each other

const tolerance = 0.03
const half = (machine: Machine) => Math.max(machine.peaks.fp16 ?? 0, machine.peaks.bf16 ?? 0)

type Recomputed = [marketed: number | undefined, recomputed: number | undefined]

/** What the datasheet's parts give for the figure it prints; NaN where a part is not stated. */
const recomputed: Record<string, (machine: Machine) => Recomputed> = {
  'matrix peak': (m) => {
    const { count, clock = Number.NaN, matrixClock = clock, matrixOperationsPerClock = Number.NaN } = m.units
    return [half(m), count * matrixClock * matrixOperationsPerClock]
  },
  'vector peak': (m) => {
    const { count, clock = Number.NaN, vectorOperationsPerClock = Number.NaN } = m.units
    return [m.vector.fp32, count * clock * vectorOperationsPerClock]
  },
  bandwidth: ({ memory: { bandwidth, busBits = Number.NaN, dataRate = Number.NaN } }) => [
    bandwidth,
    (busBits * dataRate) / 8,
  ],
}

/** Off by more than the tolerance, and why that is no error of ours. */
const unexplainedByClock: Record<string, string> = {
  'b200 matrix peak': 'only the boost clock of the vector units is published; the matrix peak is stated below it',
  'h100-nvl matrix peak': 'only the boost clock of the vector units is published; the matrix peak is stated below it',
}

const checks = Object.entries(recomputed).flatMap(([figure, parts]) =>
  machines.flatMap((machine) => {
    const [marketed, computed] = parts(machine)
    const row = {
      name: `${machine.name} ${figure}`,
      marketed: marketed ?? Number.NaN,
      computed: computed ?? Number.NaN,
    }
    return Number.isFinite(row.marketed) && Number.isFinite(row.computed) ? [row] : []
  }),
)

test.each(checks)('$name follows from its parts', ({ name, marketed, computed }) => {
  const error = Math.abs(computed / marketed - 1)
  if (name in unexplainedByClock) expect(error, 'an exception that is none').toBeGreaterThan(tolerance)
  else expect(error).toBeLessThan(tolerance)
})

test.each(Object.keys(recomputed))('the %s of at least 40 machines is recomputed', (figure) => {
  expect(checks.filter(({ name }) => name.endsWith(figure)).length).toBeGreaterThanOrEqual(40)
})

type Ratio = readonly [faster: string, slower: string, most: number, value: (m: Machine) => (number | undefined)[]]

/** A format of half the bits runs at most twice as fast. 2:4 sparse figures, twice the dense ones, would break these. */
const ratios: readonly Ratio[] = [
  ['fp8', 'fp16', 2, (m) => [m.peaks.fp8, half(m)]],
  ['fp6', 'fp8', 2, (m) => [m.peaks.fp6, m.peaks.fp8]],
  ['fp4', 'fp8', 2, (m) => [m.peaks.fp4, m.peaks.fp8]],
  ['int8', 'fp16', 2, (m) => [m.peaks.int8, half(m)]],
  ['int4', 'int8', 2, (m) => [m.peaks.int4, m.peaks.int8]],
  ['fp16', 'tf32', 2, (m) => [half(m), m.peaks.tf32]],
  ['vector fp16', 'vector fp32', 2, (m) => [m.vector.fp16, m.vector.fp32]],
]

const geforce = 'GeForce halves fp16 and fp8 with fp32 accumulation, not int8 and fp4'
const a100 = 'the A100 runs packed fp16 at four times fp32'
const steeper: Record<string, readonly [most: number, why: string]> = {
  'rtx-2080-ti int8/fp16': [4, geforce],
  'rtx-3090 int8/fp16': [4, geforce],
  'rtx-3090-ti int8/fp16': [4, geforce],
  'rtx-4090 int8/fp16': [4, geforce],
  'rtx-5090 int8/fp16': [4, geforce],
  'rtx-5090 fp4/fp8': [4, geforce],
  'b300 fp4/fp8': [3.2, 'Blackwell Ultra raised fp4 alone'],
  'gb300 fp4/fp8': [3, 'Blackwell Ultra raised fp4 alone'],
  'gaudi3 fp16/tf32': [3.7, 'tf32 is quoted at an eighth of the engines, bf16 at all of them'],
  'a100-40gb-pcie vector fp16/vector fp32': [4, a100],
  'a100-40gb-sxm vector fp16/vector fp32': [4, a100],
  'a100-80gb-pcie vector fp16/vector fp32': [4, a100],
  'a100-80gb-sxm vector fp16/vector fp32': [4, a100],
}

test.each(each)('%s: peaks are dense', (name, machine) => {
  for (const [faster, slower, most, value] of ratios) {
    const [above, below] = value(machine)
    if (!above || !below) continue
    const id = `${name} ${faster}/${slower}`
    const [allowed] = steeper[id] ?? [most]
    expect(above / below, id).toBeLessThan(allowed * (1 + tolerance))
    if (id in steeper) expect(above / below, `${id} is no exception`).toBeGreaterThan(most * (1 + tolerance))
  }
})

test.each(each)('%s: fewer bits are not slower, matrix units not slower than vector units', (_, { peaks, vector }) => {
  const atMost = (slower: number | undefined, faster: number | undefined) => (slower ?? 0) <= (faster ?? Infinity)
  const floats = [peaks.fp32, peaks.tf32, peaks.bf16 ?? peaks.fp16, peaks.fp8, peaks.fp6, peaks.fp4]
  const present = floats.filter((peak) => peak !== undefined)
  expect(present).toEqual([...present].sort((a, b) => a - b))
  expect(atMost(vector.fp32, peaks.fp32)).toBe(true)
  expect(atMost(vector.fp16, peaks.fp16)).toBe(true)
})

/** Outside these a prefix is wrong: TB/s for GB/s, GFLOP/s for TFLOP/s, MHz for Hz. */
test.each(each)('%s: SI units', (_, machine) => {
  const { memory, units, power = 100, year = 2020 } = machine
  const inside = (value: number | undefined, low: number, high: number) =>
    expect(value === undefined || (value >= low && value <= high), `${value} in ${low} to ${high}`).toBe(true)
  inside(memory.bandwidth, 10e9, 10e12)
  inside(memory.capacity, 4e9, 1e12)
  inside(memory.dataRate, 1e9, 40e9)
  inside(memory.busBits, 32, 8192)
  inside(Math.max(...Object.values(machine.peaks)), 100e9, 20e15)
  inside(units.clock, 1e9, 6e9)
  inside(units.matrixClock, 1e9, 6e9)
  inside(machine.cache?.bytes, 2 ** 20, 2 ** 29)
  inside(machine.links.scaleUp?.bandwidth, 10e9, 1e12)
  inside(machine.links.host?.bandwidth, 10e9, 500e9)
  inside(power, 50, 2000)
  inside(year, 2017, 2026)
})

// Users' files

const mine = {
  name: 'mine',
  vendor: 'Me',
  kind: 'gpu',
  memory: { bandwidth: 1e12 },
  peaks: { fp16: 1e14 },
  units: { kind: 'SM', count: 10 },
}

test.each(each)('%s passes the check of users files unchanged', (_, machine) => {
  expect(parseMachine(machine, 'shipped.json')).toEqual(machine)
})

test('a user may leave out title, sources and what is not known', () => {
  expect(parseMachine(mine, 'mine.json')).toEqual({ ...mine, title: 'mine', vector: {}, links: {}, sources: {} })
  expect(figures(parseMachine(mine, 'mine.json')).map(({ source }) => source)).toEqual(Array(3).fill('unverified'))
})

test.each([
  [{ ...mine, memory: { bandwidth: -3 } }, 'memory.bandwidth: expected a positive number of bytes/s, got -3'],
  [{ ...mine, memory: { bandwidth: '1e12' } }, 'memory.bandwidth: expected a positive number of bytes/s, got "1e12"'],
  [{ ...mine, memory: {} }, 'memory.bandwidth: expected this key, got nothing'],
  [{ ...mine, peaks: { fp16: Infinity } }, 'peaks.fp16: expected a positive number of FLOP/s, got Infinity'],
  [
    { ...mine, peaks: { fp12: 1 } },
    'peaks.fp12: expected one of fp32, tf32, fp16, bf16, fp8, fp6, fp4, int8, int4, got',
  ],
  [{ ...mine, units: { kind: 'SM', count: 0 } }, 'units.count: expected a whole number of units, got 0'],
  [{ ...mine, links: { host: { kind: 'PCIe' } } }, 'links.host.bandwidth: expected this key, got nothing'],
  [{ ...mine, links: 5 }, 'links: expected an object, got 5'],
  [{ ...mine, kind: 'fpga' }, `kind: expected ${machineKinds.join(', ')}, got "fpga"`],
  [{ ...mine, sources: { power: 1 } }, 'sources.power: expected a string, got 1'],
  [{ ...mine, notes: 'x' }, 'notes: expected a list of strings, got "x"'],
  ['gpu', 'expected an object, got "gpu"'],
])('a wrong file %# is an error that says where', (json, message) => {
  expect(() => parseMachine(json, 'mine.json')).toThrow(`mine.json: ${message}`)
})

test('all errors of a file are reported together', () => {
  const wrong = { ...mine, name: 1, memory: { bandwidth: 0 } }
  expect(() => parseMachine(wrong, 'mine.json')).toThrow(/^mine\.json: name: .*; memory\.bandwidth: /)
})
