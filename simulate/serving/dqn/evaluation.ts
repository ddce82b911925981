// A trained router on traffic that it was not trained on: other arrivals, other shares of the tasks; beside it the router
// that caps batches and the one that knows the largest model alone, on the same requests.
import { type Random, seeded } from '../../../model/random.ts'
import { parseArrivals } from '../arrivals.ts'
import type { Law } from '../law.ts'
import { deadlineCapped, type Router, staticRouter } from '../router.ts'
import { simulate, streamsOf } from '../simulator.ts'
import { openSource, type Tasks } from '../source.ts'
import { type Policy, policyRouter } from './policy.ts'
import type { Scenario, Traffic } from './training.ts'

export interface Evaluation {
  readonly arrivals: string
  readonly tasks: string
  readonly router: string
  /** Requests per second. */
  readonly rate: number
  readonly availability: number
  /** Share of the worth that the largest model, always in time, would have. */
  readonly performance: number
}

const seconds = 10
const fewest = 1000
const mostRequests = 10_000
/** Share of the requests that a shifted mix gives to one task. */
const mostly = 0.7

interface Mix {
  readonly name: string
  draw(random: Random): Tasks
}

/** Runs each kind of traffic under each router, at half of the largest rate of training. */
export function evaluate(scenario: Scenario, policy: Policy, traffic: Traffic, seed: number): Evaluation[] {
  const rate = traffic.most / 2
  const other = parseArrivals(traffic.arrivals.name === 'gamma' ? 'bursty:cv=1' : 'gamma:cv=3')
  const trained: Mix = { name: 'as trained', draw: scenario.drawTasks }
  const { tasks } = scenario
  const shifted = tasks.length < 2 ? [] : [mostlyOne(tasks, 0), mostlyOne(tasks, tasks.length - 1)]
  const kinds: [Law, Mix][] = [
    [traffic.arrivals, trained],
    [other, trained],
    ...shifted.map((mix): [Law, Mix] => [traffic.arrivals, mix]),
  ]
  return kinds.flatMap(([law, mix], kind) =>
    routersOf(scenario, policy).map((router) => {
      const streams = streamsOf((seed + 1) * 65536 + 49152 + kind, seeded)
      const drawn = mix.draw(streams())
      const { prompt, output } = scenario
      const requests = Math.round(Math.min(mostRequests, Math.max(fewest, rate * seconds)))
      const o = simulate({
        source: openSource(law, rate, { prompt, output, tasks: drawn }, { requests }, streams),
        replicas: scenario.replicas(streams),
        router,
        deadlines: { e2e: scenario.deadline },
        worth: { quality: scenario.quality, soft: scenario.soft },
        mostInSystem: Number.POSITIVE_INFINITY,
      })
      return {
        arrivals: law === other ? law.name : 'as trained',
        tasks: mix.name,
        router: router.name,
        rate,
        availability: o.inTime / Math.max(1, o.counted),
        performance: o.bestReward > 0 ? o.reward / o.bestReward : 0,
      }
    }),
  )
}

function routersOf({ quality, scales }: Scenario, policy: Policy): Router[] {
  const [large, small] = [quality[0] ?? [], quality.at(-1) ?? []]
  const gains = large.map((a, task) => 1 - (small[task] ?? 0) / a)
  return [policyRouter(policy), deadlineCapped({ batches: scales.batches, gains }), staticRouter()]
}

function mostlyOne(tasks: readonly string[], one: number): Mix {
  return {
    name: `mostly ${tasks[one]}`,
    draw: (random) => () => {
      if (random() < mostly) return one
      const other = Math.floor(random() * (tasks.length - 1))
      return other < one ? other : other + 1
    },
  }
}
