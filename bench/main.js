// The figures that are seconds: run on an idle machine, after a build. Medians; no test asserts them.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  assign,
  calibrate,
  cosineClusters,
  exactSolver,
  greedyKept,
  kvMethod,
  loadMachine,
  loadModel,
  predict,
  quantize,
  searchDefaults,
  searchTree,
  seeded,
  simulateBild,
  synthetic,
  syntheticSource,
  textsOfTask,
  upTo,
} from '../dist/index.js'
import { streamRates } from './stream.js'

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Seconds of a whole process. */
function seconds(args) {
  const begin = process.hrtime.bigint()
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} exited with ${status}`)
  return Number(process.hrtime.bigint() - begin) / 1e9
}

/** Medians of two programs run in turn, so that the machine's mood falls on both. */
function paired(a, b, runs = 31) {
  const times = [[], []]
  for (let i = 0; i < runs; i++) {
    times[0].push(seconds(a))
    times[1].push(seconds(b))
  }
  return times.map(median)
}

async function rate() {
  const architecture = await loadModel('llama-3.1-70b')
  const machine = await loadMachine('h100-sxm')
  const rates = []
  for (let round = 0; round < 7; round++) {
    const begin = performance.now()
    let n = 0
    for (; performance.now() - begin < 1000; n++)
      predict({ architecture, machine, batch: 1 + (n % 64), context: 1000 + n })
    rates.push((n * 1000) / (performance.now() - begin))
  }
  return median(rates)
}

/** Seconds of big little decoding of a million tokens. */
function million() {
  const times = []
  for (let seed = 0; seed < 5; seed++) {
    const begin = performance.now()
    const texts = textsOfTask('iwslt', false).texts(seeded(seed))
    simulateBild(upTo(1e6, texts), { fallback: 0.6, rollback: 2, window: 10 }, { small: 0.02, large: 0.045 })
    times.push((performance.now() - begin) / 1000)
  }
  return median(times)
}

/** Key-centroid distances a second on one core: of the loop that assigns, and of k-means as a whole. */
async function clusterRates() {
  const [keys, clusters, dim] = [8192, 409, 128]
  const points = Float32Array.from({ length: keys * dim }, () => Math.random() - 0.5)
  const centroids = Float64Array.from(points.subarray(0, clusters * dim))
  const [labels, distances] = [new Int32Array(keys), new Float64Array(keys)]
  const rates = [[], []]
  for (let round = 0; round < 9; round++) {
    let begin = performance.now()
    assign(points, centroids, dim, labels, distances)
    rates[0].push((keys * clusters * 1000) / (performance.now() - begin))
    begin = performance.now()
    const { iterations } = await cosineClusters(points, dim, clusters, {
      random: Math.random,
      iterations: 8,
      tolerance: 0,
    })
    // Choosing the seeds takes each point's distance to each seed once.
    rates[1].push(((iterations + 1) * keys * clusters * 1000) / (performance.now() - begin))
  }
  return rates.map(median)
}

const [empty, cold] = paired(['-e', ''], [program, 'predict', 'llama-3.1-70b', '--on', 'h100-sxm', '--json'])
console.log(
  `cold predict --json   ${(cold * 1e3).toFixed(0)} ms, ${(cold / empty).toFixed(2)} times node -e '' (${(empty * 1e3).toFixed(0)} ms)`,
)
console.log(`predictions           ${Math.round(await rate())} a second (Llama-3.1-70B decode)`)
console.log(`simulate bild         ${million().toFixed(2)} s for a million tokens`)

/** Elements of a layer of Llama-2-7B quantized in a second on one core: normalized, outliers apart, packed. */
function quantizeRate(part, bits) {
  const x = synthetic({ layers: 1, tokens: 1024, heads: 32, headDim: 128, queries: 1 }).layers[0].read(part)
  const by = calibrate(kvMethod('kvquant', { bits, outliers: 0.01, sink: 1 })[part], x)
  const rates = Array.from({ length: 9 }, () => {
    const begin = performance.now()
    quantize(by, x)
    return (x.data.length * 1000) / (performance.now() - begin)
  })
  return median(rates)
}

for (const part of ['key', 'value']) {
  const rates = [4, 3, 2].map((bits) => (quantizeRate(part, bits) / 1e6).toFixed(0))
  console.log(
    `quantize ${part.padEnd(12)} ${rates.join(', ')} million elements a second (kvquant, 4, 3, 2 bits, 1 % outliers)`,
  )
}

const [assigning, clustering] = await clusterRates()
console.log(
  `k-means               ${(assigning / 1e6).toFixed(1)} million key-centroid distances a second (d = 128, one core), ${(clustering / 1e6).toFixed(1)} with seeds and means`,
)

const streams = await streamRates()
if (streams !== undefined) {
  const { threads, gcc, wasm } = streams
  console.log(
    `stream read           ${((100 * wasm) / gcc).toFixed(0)} % of a gcc loop's on ${threads} threads (${(wasm / 1e9).toFixed(1)} of ${(gcc / 1e9).toFixed(1)} GB/s)`,
  )
}

// Tree search: seconds of a step by width, with ETS's greedy choice and without a program; then HiGHS's part.
function searchStep(strategy, width, solve, clock) {
  const settings = { ...searchDefaults, strategy, width, depth: 8, tokens: 1e6 }
  const source = syntheticSource(3, 1, { hazard: 0 })
  const begin = performance.now()
  let steps = 0
  let solving = 0
  for (let i = 0; i < source.problems; i++) {
    const one = searchTree(source, i, settings, solve, clock)
    steps += one.steps.length
    solving += one.solving
  }
  return [(performance.now() - begin) / 1e3 / steps, solving / steps]
}

const solve = await exactSolver()
const searchWidths = [16, 64, 256, 1024]
for (const [name, strategy, solver] of [
  ['rebase', 'rebase', greedyKept],
  ['ets, greedy', 'ets', greedyKept],
  ['ets, exact', 'ets', solve],
]) {
  searchStep(strategy, 16, solver)
  const steps = searchWidths.map((w) => searchStep(strategy, w, solver, () => performance.now() / 1e3))
  const growth = Math.log(steps.at(-1)[0] / steps[1][0]) / Math.log(searchWidths.at(-1) / searchWidths[1])
  const shown = steps.map(([whole]) => (whole * 1e3).toFixed(2)).join(', ')
  const part = steps.map(([, solving]) => (solving * 1e3).toFixed(2)).join(', ')
  console.log(
    `search ${name.padEnd(14)} ${shown} ms a step at widths ${searchWidths.join(', ')} (as N^${growth.toFixed(2)} from 64 on)${strategy === 'ets' ? `, solving ${part}` : ''}`,
  )
}
const deep = ['--width', '256', '--problems', '100', '--hazard', '0', '--max-tokens', '1M', '--memory', '400e9']
const searching = ['--model', 'llemma-34b', '--on', 'h100-nvl', '--json', ...deep]
for (const flags of [['rebase'], ['ets', '--solver', 'greedy']]) {
  const whole = seconds([program, 'simulate', 'search', '--strategy', ...flags, ...searching])
  console.log(`search 100 problems   ${whole.toFixed(1)} s at width 256 and depth 25 (${flags.join(' ')})`)
}

await import('./serving.js')

// With a folder of measurements: all files but serving's, some 52,000 rows.
const folder = process.argv[2]
if (folder !== undefined) {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.csv') && !/serving|max_throughput/.test(name))
    .map((name) => join(folder, name))
  const times = [1, 2, 3].map(() => seconds([program, 'accuracy', ...files, '--json']))
  console.log(`accuracy              ${median(times).toFixed(1)} s for all rows of ${folder}`)
}
