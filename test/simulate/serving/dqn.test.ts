// What a learned router sees: the past, and never what comes.
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import { bestEffortScenario, modelFacts, usualBestEffort } from '../../../simulate/serving/best-effort.ts'
import { encode, inputs, parsePolicy } from '../../../simulate/serving/dqn/policy.ts'
import type { Arrival } from '../../../simulate/serving/request.ts'
import { leastLoaded, type Router } from '../../../simulate/serving/router.ts'
import { simulate, streamsOf } from '../../../simulate/serving/simulator.ts'
import { listSource } from '../../../simulate/serving/source.ts'

const scenario = bestEffortScenario(usualBestEffort)
const tasks = scenario.tasks.length

/** The states of all requests, as the network reads them. */
function states(arrivals: readonly Arrival[]): number[][] {
  const seen: number[][] = []
  const spy: Router = {
    name: 'spy',
    route: ({ id, task }, fleet) => {
      const state = new Float64Array(inputs(tasks, scenario.models.length))
      encode(task, fleet, tasks, scenario.scales, state)
      seen[id] = [...state]
      return leastLoaded(fleet.models[id % fleet.models.length] ?? [], fleet)
    },
  }
  simulate({
    source: listSource(arrivals),
    replicas: scenario.replicas(streamsOf(1, seeded)),
    router: spy,
    mostInSystem: Number.POSITIVE_INFINITY,
  })
  return seen
}

describe('the state of a request', () => {
  const random = seeded(7)
  let time = 0
  const arrivals: Arrival[] = Array.from({ length: 400 }, () => {
    time += -Math.log(1 - random()) / 200
    return { time, prompt: 128, output: 1 + Math.floor(random() * 90), task: Math.floor(random() * tasks) }
  })
  const before = states(arrivals)

  it.each([0, 1, 57, 200, 399])('tells nothing of its own output or of what comes after request %i', (k) => {
    const at = (arrivals[k] as Arrival).time
    const changed = arrivals.map((a, i) => {
      if (i < k) return a
      return i === k ? { ...a, output: 500 } : { ...a, time: at + (a.time - at) / 7, output: 3, task: 0 }
    })
    expect(states(changed).slice(0, k + 1)).toEqual(before.slice(0, k + 1))
  })

  it('tells the task, the loads and the rate', () => {
    const tells = (i: number) => new Set(before.map((s) => s[i])).size
    for (let i = 0; i < inputs(tasks, scenario.models.length); i++) expect(tells(i)).toBeGreaterThan(1)
  })
})

describe('the scenario', () => {
  it('has the batches and rates computed apart from this code, within 1 % and 3 %', () => {
    const facts = modelFacts(usualBestEffort)
    for (const [i, [batch, rate]] of [[73, 52.9] as const, [327, 237] as const, [1290, 935] as const].entries()) {
      expect(Math.abs((facts[i]?.batch ?? 0) / batch - 1)).toBeLessThan(0.01)
      expect(Math.abs((facts[i]?.rate ?? 0) / rate - 1)).toBeLessThan(0.03)
    }
  })
})

describe('a file of a router', () => {
  const layer = (from: number, to: number) => ({ weights: Array(from * to).fill(0), bias: Array(to).fill(0) })
  const file = {
    format: 'memwall-router',
    version: 1,
    tasks: ['a', 'b'],
    models: ['m', 'n'],
    scales: { batches: [10, 20], rate: 5 },
    layers: [layer(5, 3), layer(3, 2)],
  }
  it('is read', () => expect(parsePolicy(file).layers).toHaveLength(2))
  it.each([
    ['another thing', 3, /expected a router/],
    ['another shape', { ...file, layers: [layer(4, 3), layer(3, 2)] }, /layer 1: expected 5 inputs/],
    ['too few outputs', { ...file, layers: [layer(5, 3), layer(3, 1)] }, /expected 2 outputs/],
    ['no scale', { ...file, scales: { batches: [1], rate: 5 } }, /expected a scale/],
    ['no numbers', { ...file, layers: [{ weights: ['x'], bias: [0] }] }, /layer 1/],
  ])('is refused of %s', (_, json, message) => expect(() => parsePolicy(json)).toThrow(message))
})
