// Trains the routers behind `reproduce best-effort-serving` and measures them: minutes for each router.
//   node bench/best-effort.js train 1/1/2 1 FOLDER    one placement (large/mid/small) and seed
//   node bench/best-effort.js measure FOLDER OUT.json seeds of 1/1/2 in FOLDER, and routers without training
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadTensorFlow } from '../dist/cli/serving/tensorflow.js'
import { learned, measure, untrained } from '../dist/simulate/papers/best-effort/experiment.js'
import { bestEffortScenario, usualBestEffort } from '../dist/simulate/serving/best-effort.js'
import { usualHyper } from '../dist/simulate/serving/dqn/learner.js'
import { parsePolicy, policyFile } from '../dist/simulate/serving/dqn/policy.js'
import { Training } from '../dist/simulate/serving/dqn/training.js'

const [act, ...rest] = process.argv.slice(2)

if (act === 'train') {
  const [text, number, folder] = rest
  const seed = Number(number)
  const scenario = bestEffortScenario({ ...usualBestEffort, placement: text.split('/').map(Number) })
  const { tf, backend } = await loadTensorFlow()
  const traffic = {
    arrivals: { name: 'bursty', values: { cv: 0.5, window: 4 } },
    least: 60,
    most: scenario.scales.rate,
    seconds: 20,
  }
  const [episodes, stepsPerEpisode] = [100, 200]
  const training = new Training({ tf, scenario, traffic, hyper: usualHyper, seed, episodes, stepsPerEpisode })
  const begin = process.cpuUsage()
  while (!training.done) {
    const e = training.next()
    if (e.episode % 10 === 9) console.log(text, seed, JSON.stringify(e))
  }
  const { user, system } = process.cpuUsage(begin)
  const seconds = (user + system) / 1e6
  console.log(text, seed, `${seconds.toFixed(0)} s of processor time`)
  const protocol = { backend, seed, episodes, stepsPerEpisode, hyper: usualHyper, traffic, processor_s: seconds }
  const file = policyFile(training.policy(), protocol, 4)
  writeFileSync(join(folder, `${text.replaceAll('/', '')}-${seed}.json`), `${JSON.stringify(file)}\n`)
} else {
  const [folder, out] = rest
  const files = readdirSync(folder).filter((name) => name.startsWith('112-') && name.endsWith('.json'))
  const routers = new Map(
    files.map((name) => {
      const json = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      return [Number(name.slice(4, -5)), { policy: parsePolicy(json), training: json.training }]
    }),
  )
  const seeds = [...routers.keys()].sort((a, b) => a - b)
  const { seed: _, processor_s: __, ...training } = routers.get(seeds[0]).training
  const processor_s = seeds.map((seed) => Math.round(routers.get(seed).training.processor_s))
  const dqn = {
    placement: [1, 1, 2],
    router: 'dqn',
    training: { ...training, processor_s },
    of: (seed) => learned(routers.get(seed).policy),
  }
  const results = measure([...untrained, dqn], seeds, (what) => console.log(what))
  const short = (_key, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)
  writeFileSync(out, `${JSON.stringify(results, short, 1)}\n`)
}
