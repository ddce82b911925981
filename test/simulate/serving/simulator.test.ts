// The simulator with models: agreement with static predictions, and that no request is lost or served twice.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { loadModel } from '../../../model/catalog.ts'
import { seeded } from '../../../model/random.ts'
import { parseMethod } from '../../../simulate/method.ts'
import { predict } from '../../../simulate/predict.ts'
import { feasibleBatch, meets, saturationRate } from '../../../simulate/serving/capacity.ts'
import { type ReplicaKind, replicaKind } from '../../../simulate/serving/fleet.ts'
import { always } from '../../../simulate/serving/lengths.ts'
import { mean } from '../../../simulate/serving/measure.ts'
import { Replica } from '../../../simulate/serving/replica.ts'
import type { Arrival, Fate, Request } from '../../../simulate/serving/request.ts'
import { leastLoadedRouter, randomRouter, staticRouter } from '../../../simulate/serving/router.ts'
import { type SimulationOptions, simulate, streamsOf } from '../../../simulate/serving/simulator.ts'
import { closedSource, listSource, openSource } from '../../../simulate/serving/source.ts'
import type { StepTime } from '../../../simulate/serving/step-time.ts'

const caps = { batch: 256, tokens: 65536, prefill: 'whole', chunk: 512, prefix: 0 } as const

async function kindOf(
  model: string,
  machine: string,
  methods: readonly string[] = [],
  deployment = {},
): Promise<ReplicaKind> {
  const query = {
    architecture: await loadModel(model),
    machine: await loadMachine(machine),
    deployment,
    methods: await Promise.all(methods.map((m) => parseMethod(m))),
  }
  return replicaKind({ query, caps, block: 16, memoryShare: 0.9, usualContext: 512 })
}

function burst(n: number, prompt: number, output: number): Arrival[] {
  return Array.from({ length: n }, () => ({ time: 0, prompt, output, task: 0 }))
}

describe('a static batch', () => {
  it.each([
    ['opt-1.3b', 'a100-80gb-sxm', [], {}],
    ['llama-3.1-70b', 'h200', [], { parallel: { tensor: 8 } }],
    ['llama-2-7b', 'a100-80gb-sxm', ['kvquant:bits=3'], {}],
    ['gemma-2-9b', 'h100-sxm', [], {}],
  ] as const)('of %s on %s %j takes what is predicted', async (model, machine, methods, deployment) => {
    const kind = await kindOf(model, machine, methods, deployment)
    const [n, prompt, output] = [8, 300, 40]
    const o = simulate({
      source: listSource(burst(n, prompt, output)),
      replicas: [kind.serving(0, seeded(1))],
      router: staticRouter(),
    })
    const p = predict({ ...kind.query, phase: 'prefill', batch: n, context: prompt, newTokens: output })
    expect(o.e2e.all.every((t) => Math.abs(t / (p.total?.expected_s ?? 0) - 1) < 1e-12)).toBe(true)
    expect(o.ttft.all.every((t) => Math.abs(t / (p.time_to_first_token_s ?? 0) - 1) < 1e-12)).toBe(true)
    const steps = ((p.total?.expected_s ?? 0) - (p.time_to_first_token_s ?? 0)) / (output - 1)
    expect(mean(o.tpot.all) / steps).toBeCloseTo(1, 11)
  })

  it('speculates as predicted: certain acceptance is gamma and one tokens a round', async () => {
    const target = await loadModel('opt-1.3b')
    const method = await parseMethod('draft:model=opt-125m,gamma=3,alpha=1', { model: loadModel })
    const query = { architecture: target, machine: await loadMachine('a100-80gb-sxm'), methods: [method] }
    const kind = replicaKind({ query, caps, block: 16, memoryShare: 0.9, usualContext: 256 })
    const o = simulate({
      source: listSource(burst(2, 256, 41)),
      replicas: [kind.serving(0, seeded(1))],
      router: staticRouter(),
    })
    // One step for the prompts, ten rounds of four tokens.
    expect(o.steps).toBe(11)
    const first = predict({ ...query, batch: 2, context: 256 })
    const last = predict({ ...query, batch: 2, context: 256 + 36 })
    const rounds = (mean(o.tpot.all) * 40) / 10
    expect(rounds).toBeGreaterThan(first.expected_s * (1 - 1e-9))
    expect(rounds).toBeLessThan(last.expected_s * (1 + 1e-9))
  })
})

/** A step takes a second: what is tested is who is in it. */
const clockwork: StepTime = { seconds: () => 1 }

const traffic = fc.record({
  requests: fc.array(
    fc.record({ gap: fc.nat(3), prompt: fc.integer({ min: 1, max: 40 }), output: fc.integer({ min: 1, max: 30 }) }),
    { minLength: 1, maxLength: 60 },
  ),
  blocks: fc.integer({ min: 1, max: 20 }),
  batch: fc.integer({ min: 1, max: 8 }),
  tokens: fc.integer({ min: 8, max: 64 }),
  prefill: fc.constantFrom('whole', 'chunked', 'apart'),
  prefix: fc.constantFrom(0, 8, 20),
  replicas: fc.integer({ min: 1, max: 3 }),
  shared: fc.boolean(),
  dropLate: fc.boolean(),
  fails: fc.array(
    fc.record({ replica: fc.nat(2), at: fc.integer({ min: 0, max: 60 }), for: fc.integer({ min: 1, max: 30 }) }),
    {
      maxLength: 3,
    },
  ),
})

describe('requests', () => {
  it('are neither lost nor served twice, under preemption, drops and failures', () => {
    const seen = { preempted: 0, dropped: 0, rejected: 0, failed: 0 }
    fc.assert(
      fc.property(traffic, (t) => {
        let time = 0
        const arrivals = t.requests.map(({ gap, prompt, output }) => {
          time += gap
          return { time, prompt, output, task: 0 }
        })
        const ends = new Map<number, { fate: Fate; request: Request }>()
        const room = { block: 4, blocks: t.blocks, each: 0 }
        const made: Replica[] = []
        const failures = t.fails
          .filter((f) => f.replica < t.replicas)
          // One at a time for each replica.
          .filter((f, i, all) => all.findIndex((g) => g.replica === f.replica) === i)
          .map((f) => ({ replica: f.replica, at: f.at, until: f.at + f.for }))
        const options: SimulationOptions = {
          source: listSource(arrivals),
          router: leastLoadedRouter(),
          shared: t.shared,
          dropLate: t.dropLate,
          deadlines: { e2e: 25 },
          failures,
          onEnd: (request, fate) => {
            expect(ends.has(request.id)).toBe(false)
            ends.set(request.id, { fate, request })
          },
          replicas: Array.from({ length: t.replicas }, () => ({
            model: 0,
            stations: (queue, events) => {
              const own = {
                batch: t.batch,
                tokens: t.tokens,
                prefill: t.prefill as 'whole',
                chunk: 8,
                prefix: t.prefix,
              }
              const replica = new Replica(queue, clockwork, room, own, events, seeded(1))
              made.push(replica)
              return [replica]
            },
            refuses: ({ prompt, output }) => {
              const prefix = Math.ceil(t.prefix / 4)
              return Math.ceil((prompt + output + 1) / 4) + prefix > t.blocks ? 'too long' : undefined
            },
          })),
        }
        const o = simulate(options)
        expect(o.offered).toBe(arrivals.length)
        expect(ends.size).toBe(arrivals.length)
        const rejected = [...o.rejected.values()].reduce((sum, r) => sum + r.count, 0)
        expect(o.completed + o.dropped + rejected + o.unfinished).toBe(o.offered)
        // Whatever failed came back: nothing is left over.
        expect(o.unfinished).toBe(0)
        for (const { fate, request: r } of ends.values()) {
          if (fate !== 'completed') continue
          expect(r.made).toBe(r.output)
          expect(r.time <= r.started && r.started < r.first && r.first <= r.last).toBe(true)
          expect(r.last - r.first).toBeGreaterThanOrEqual(r.output - 1)
        }
        // All blocks come back, but for the prefix's.
        for (const replica of made)
          expect(replica.kvUse * t.blocks).toBeLessThanOrEqual(Math.floor(t.prefix / 4) + 1e-9)
        expect(o.inSystem.integral(o.end)).toBeCloseTo(o.sojourns, 6)
        expect(o.mostKv).toBeLessThanOrEqual(1 + 1e-12)
        expect(o.mostBatch).toBeLessThanOrEqual(t.batch)
        seen.preempted += o.preemptions
        seen.dropped += o.dropped
        seen.rejected += rejected
        seen.failed += o.failures
      }),
      { numRuns: 300, seed: 11 },
    )
    // The property is worth nothing where none of it happened.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50)
  })

  it('that can never fit are rejected with the reason, and the rest goes on', async () => {
    const kind = await kindOf('opt-1.3b', 'a100-80gb-sxm')
    const requests = [...burst(1, 2000, 100), ...burst(2, 100, 10)]
    const o = simulate({ source: listSource(requests), replicas: [kind.serving(0, seeded(1))], router: staticRouter() })
    expect([...o.rejected]).toEqual([['longer than the 2048 positions of opt-1.3b', { count: 1, first: 0 }]])
    expect(o.completed).toBe(2)
  })

  it('repeat byte by byte with a seed, and differ with another', async () => {
    const kind = await kindOf('opt-1.3b', 'a100-80gb-sxm')
    const run = (seed: number) => {
      const streams = streamsOf(seed, seeded)
      const sizes = { prompt: always(100), output: always(20) }
      const o = simulate({
        source: openSource({ name: 'gamma', values: { cv: 2 } }, 50, sizes, { requests: 400 }, streams),
        replicas: [0, 1].map(() => kind.serving(0, streams())),
        router: randomRouter(streams()),
      })
      return [...o.e2e.all]
    }
    expect(run(3)).toEqual(run(3))
    expect(run(3)).not.toEqual(run(4))
  })
})

describe('prompts', () => {
  const run = (prefill: 'whole' | 'chunked' | 'apart', prefix = 0) => {
    const steps: [decoding: number, reading: number][] = []
    const time: StepTime = {
      seconds: (batch) => {
        steps.push([batch.decoding, batch.readingTokens])
        return 1
      },
    }
    const own = { batch: 8, tokens: 1000, prefill, chunk: 32, prefix }
    const room = { block: 16, blocks: 100, each: 0 }
    const arrivals = [0, 1.5, 1.5].map((time) => ({ time, prompt: 64, output: 4, task: 0 }))
    simulate({
      source: listSource(arrivals),
      router: staticRouter(),
      replicas: [{ model: 0, stations: (queue, events) => [new Replica(queue, time, room, own, events, seeded(1))] }],
    })
    return steps
  }

  it('are read whole beside decoding, in chunks, or apart', () => {
    expect(run('whole').slice(0, 4)).toEqual([
      [0, 64],
      [1, 0],
      [1, 128],
      [3, 0],
    ])
    expect(run('chunked').slice(0, 4)).toEqual([
      [0, 32],
      [0, 32],
      [1, 32],
      [1, 32],
    ])
    expect(run('apart').slice(0, 4)).toEqual([
      [0, 64],
      [1, 0],
      [0, 128],
      [3, 0],
    ])
  })

  it('read a shared prefix once', () => {
    expect(run('whole', 48).slice(0, 3)).toEqual([
      [0, 64],
      [1, 0],
      [1, 32],
    ])
  })
})

describe('saturation', () => {
  it('is where a replica that is never idle serves no more', async () => {
    const kind = await kindOf('opt-1.3b', 'a100-80gb-sxm')
    const [prompt, output] = [always(128), always(48)]
    const most = saturationRate(kind, prompt, output)
    const at = (load: number) => {
      const streams = streamsOf(1, seeded)
      return simulate({
        source: openSource(
          { name: 'poisson', values: {} },
          load * most,
          { prompt, output },
          { requests: 12_000 },
          streams,
        ),
        replicas: [kind.serving(0, streams())],
        router: staticRouter(),
      }).saturated
    }
    expect(at(0.9)).toBe(false)
    expect(at(1.15)).toBe(true)
  })

  it('leaves clients who wait for their answers alone', async () => {
    const kind = await kindOf('opt-1.3b', 'a100-80gb-sxm')
    const sizes = { prompt: always(128), output: always(16) }
    const o = simulate({
      source: closedSource(32, sizes, { requests: 320 }, streamsOf(1, seeded)),
      replicas: [kind.serving(0, seeded(1))],
      router: staticRouter(),
    })
    expect(o).toMatchObject({ completed: 320, saturated: false })
    expect(o.inSystem.most).toBe(32)
  })

  it('has a largest batch that meets a deadline', async () => {
    const { time } = await kindOf('opt-1.3b', 'a100-80gb-sxm')
    const batches = [0.001, 0.2, 0.5, 1].map((deadline) => feasibleBatch(meets(time, 128, 48, deadline)))
    expect(batches[0]).toBe(0)
    expect(batches).toEqual([...batches].sort((a, b) => a - b))
  })
})
