// Serving: queues that are known exactly, two million customers each, and the time of a million requests.
import {
  always,
  controlledWait,
  erlangWait,
  leadingWaits,
  leastLoadedRouter,
  loadMachine,
  loadModel,
  openSource,
  pollaczekWait,
  replicaKind,
  saturationRate,
  seeded,
  serviceServing,
  simulateServing,
  streamsOf,
} from '../dist/index.js'

const poisson = { name: 'poisson', values: {} }
const one = always(1)

function queue(load, servers, kind, requests = 2e6) {
  const streams = streamsOf(1, seeded)
  const sizes = { prompt: one, output: one }
  // Of the customers in the order of their arrivals.
  const arrivals = new Float64Array(requests)
  const waits = new Float64Array(requests)
  const services = new Float64Array(requests)
  const o = simulateServing({
    source: openSource(poisson, load * servers, sizes, { requests }, streams),
    onEnd: ({ id, time, started, last }) => {
      arrivals[id] = time
      waits[id] = started - time
      services[id] = last - started
    },
    replicas: Array.from({ length: servers }, () => serviceServing({ kind, seconds: 1 }, 1, streams())),
    router: leastLoadedRouter(),
    shared: true,
  })
  const rate = load * servers
  const gaps = arrivals.map((t, i) => t - (arrivals[i - 1] ?? 0))
  const controls = [
    { values: services, mean: 1 },
    { values: gaps, mean: 1 / rate },
    ...(kind === 'exponential' ? [leadingWaits(arrivals, services, { rate, service: 1, servers })] : []),
  ]
  const little = Math.abs(o.inSystem.integral(o.end) / o.sojourns - 1)
  return { ...controlledWait(waits, controls), little }
}

for (const [name, servers, kind] of [
  ['M/M/1', 1, 'exponential'],
  ['M/D/1', 1, 'constant'],
  ['M/M/2', 2, 'exponential'],
  ['M/M/4', 4, 'exponential'],
]) {
  const found = [0.3, 0.5, 0.7, 0.8, 0.9].map((load) => {
    const exact = kind === 'constant' ? pollaczekWait(load, 1, 0) : erlangWait(load * servers, 1, servers)
    const { mean, low, high, half, little } = queue(load, servers, kind)
    const inside = low <= exact && exact <= high ? 'in' : 'OUT OF'
    if (little > 1e-9) console.log(`${name}: Little's law is off by ${little}`)
    return `${load}: ${(100 * (mean / exact - 1)).toFixed(2)} % ${inside} ±${((100 * half) / exact).toFixed(2)}`
  })
  console.log(`wait of ${name.padEnd(13)} ${found.join('; ')} (from the exact one, 99 % half-width)`)
}

const architecture = await loadModel('opt-1.3b')
const machine = await loadMachine('a100-80gb-sxm')
const caps = { batch: 256, tokens: 16384, prefill: 'whole', chunk: 512, prefix: 0 }
const [prompt, output] = [always(128), always(48)]
const kind = replicaKind({ query: { architecture, machine }, caps, block: 16, memoryShare: 0.9, usualContext: 152 })
const rate = 4 * 0.7 * saturationRate(kind, prompt, output)
for (const requests of [1e4, 1e5, 1e6]) {
  const streams = streamsOf(1, seeded)
  const begin = performance.now()
  const o = simulateServing({
    source: openSource(poisson, rate, { prompt, output }, { requests }, streams),
    replicas: [1, 2, 3, 4].map(() => kind.serving(0, streams())),
    router: leastLoadedRouter(),
  })
  const ms = performance.now() - begin
  const memory = (process.memoryUsage().rss / 1e6).toFixed(0)
  console.log(
    `serve ${String(requests).padEnd(15)} ${(ms / 1e3).toFixed(1)} s, ${((ms * 1e3) / o.events).toFixed(1)} us an event, ${((ms * 1e3) / o.steps).toFixed(1)} a step (${memory} MB)`,
  )
}
