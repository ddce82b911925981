// Laws, lengths, traces, routers and what is measured of a run.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import { arrivals, parseArrivals } from '../../../simulate/serving/arrivals.ts'
import { parseService } from '../../../simulate/serving/fleet.ts'
import { parseLengths } from '../../../simulate/serving/lengths.ts'
import { batchMeans, Column, distribution, Timeline } from '../../../simulate/serving/measure.ts'
import { optQuality, parseQuality, qualityOf } from '../../../simulate/serving/quality.ts'
import { Queue } from '../../../simulate/serving/queue.ts'
import { Request } from '../../../simulate/serving/request.ts'
import {
  deadlineCapped,
  type Fleet,
  largestThatFits,
  leastLoadedRouter,
  randomRouter,
  staticRouter,
} from '../../../simulate/serving/router.ts'
import { timeliness } from '../../../simulate/serving/simulator.ts'
import { rateOf, recorded } from '../../../simulate/serving/trace.ts'
import { parseLines } from '../../../simulate/speculation/lines.ts'

function moments(values: readonly number[]): { mean: number; cv: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length
  return { mean, cv: Math.sqrt(variance) / mean }
}

describe('arrivals', () => {
  it.each([
    ['poisson', 1],
    ['even', 0],
    ['gamma:cv=2', 2],
    ['gamma:cv=0.5', 0.5],
    ['gamma:cv=1', 1],
  ])('of %s come at the rate and vary as said', (text, cv) => {
    const next = arrivals(parseArrivals(text), 20, seeded(4))
    const times = Array.from({ length: 40_000 }, next)
    const gaps = times.map((t, i) => t - (times[i - 1] ?? 0))
    const { mean, cv: got } = moments(gaps)
    expect(mean * 20).toBeGreaterThan(0.96)
    expect(mean * 20).toBeLessThan(1.04)
    expect(Math.abs(got - cv)).toBeLessThan(0.05 * Math.max(1, cv))
  })

  it('that are bursty change their rate from window to window and keep its mean', () => {
    const next = arrivals(parseArrivals('bursty:cv=0.7,window=4'), 50, seeded(2))
    const counts: number[] = []
    for (let t = next(); t < 40_000; t = next()) {
      const w = Math.floor(t / 4)
      counts[w] = (counts[w] ?? 0) + 1
    }
    const { mean, cv } = moments(Array.from(counts, (c) => c ?? 0))
    expect(Math.abs(mean / 200 - 1)).toBeLessThan(0.05)
    expect(Math.abs(cv - 0.7)).toBeLessThan(0.07)
  })

  it('are refused where they make no sense', () => {
    expect(() => parseArrivals('gamma')).toThrow('expected gamma:cv=N, got gamma')
    expect(() => parseArrivals('gamma:cv=0')).toThrow('expected cv above 0, got 0')
    expect(() => parseArrivals('gamma:cv=1,cv=2')).toThrow('once')
    expect(() => parseArrivals('uniform')).toThrow('expected one of poisson, even, gamma, bursty')
    expect(() => parseArrivals('poisson:cv=2')).toThrow('expected no parameters of poisson, got cv=2')
    expect(() => arrivals(parseArrivals('poisson'), 0, seeded(1))).toThrow('rate: expected requests per second')
    expect(() => parseArrivals('constructor')).toThrow('expected one of')
  })
})

describe('lengths', () => {
  it.each([
    '200',
    'uniform:low=100,high=300',
    'geometric:mean=200',
    'lognormal:mean=200,cv=0.5',
    'gamma:mean=200,cv=2',
  ])('of %s are whole, from 1, and have their mean', (text) => {
    const law = parseLengths(text)
    const draw = law.draw(seeded(5))
    const values = Array.from({ length: 20_000 }, draw)
    expect(values.every((v) => Number.isInteger(v) && v >= 1)).toBe(true)
    expect(law.mean).toBe(200)
    expect(Math.abs(moments(values).mean / 200 - 1)).toBeLessThan(0.05)
  })

  it('are refused where they make no sense', () => {
    expect(() => parseLengths('0')).toThrow('expected whole tokens from 1, got 0')
    expect(() => parseLengths('1.5')).toThrow('whole tokens')
    expect(() => parseLengths('uniform:low=5,high=2')).toThrow('expected low up to high')
    expect(() => parseLengths('normal:mean=3')).toThrow('expected one of uniform')
  })
})

describe('services', () => {
  it('are a law and seconds', () => {
    expect(parseService('exponential:0.5')).toEqual({ kind: 'exponential', seconds: 0.5 })
    for (const text of ['exponential', 'constant:0', 'uniform:1', 'constant:-1', 'constant:x']) {
      expect(() => parseService(text)).toThrow('expected model, exponential:S or constant:S')
    }
  })
})

describe('traces', () => {
  const read = (...lines: string[]) => recorded(parseLines(lines.join('\n')))
  const row = (time: number, more = '') => `{"time":${time},"prompt":10,"output":2${more}}`

  it('are requests in order, with classes', () => {
    const trace = read(row(0, ',"class":"a"'), row(1, ',"class":"b"'), row(4, ',"class":"a"'))
    expect(trace.classes).toEqual(['a', 'b'])
    expect(trace.requests.map((r) => r.task)).toEqual([0, 1, 0])
    expect(rateOf(trace)).toBe(0.5)
  })

  it('tell the line that is wrong', () => {
    expect(() => read(row(1), row(0))).toThrow('line 2: time: expected times in order, got 0 after 1')
    expect(() => read(row(-1))).toThrow('line 1: time: expected seconds from 0, got -1')
    expect(() => read('{"time":0,"prompt":0,"output":1}')).toThrow(
      'line 1: prompt: expected whole tokens from 1, got 0',
    )
    expect(() => read('{"time":0,"prompt":1}')).toThrow('line 1: expected output, got none')
    expect(() => read('{"time":"x","prompt":1,"output":1}')).toThrow('time: expected a number, got "x"')
    expect(() => read('')).toThrow('expected requests, got none')
  })
})

describe('a queue', () => {
  it('is first in first out, and puts back before', () => {
    const request = (id: number) => new Request(id, { time: 0, prompt: 1, output: 1, task: 0 })
    fc.assert(
      fc.property(fc.array(fc.constantFrom('push', 'shift', 'back'), { maxLength: 200 }), (acts) => {
        const queue = new Queue()
        const model: number[] = []
        let id = 0
        for (const act of acts) {
          if (act === 'push') {
            queue.push(request(id))
            model.push(id++)
          } else if (act === 'back') {
            queue.putBack(request(id))
            model.unshift(id++)
          } else expect(queue.shift()?.id).toBe(model.shift())
          expect(queue.length).toBe(model.length)
          expect(queue.peek()?.id).toBe(model[0])
        }
      }),
    )
  })
})

describe('routers', () => {
  const place = (model: number, running: number, up = true) => ({ model, running, waiting: 0, up })
  const fleet = (...places: ReturnType<typeof place>[]): Fleet => ({
    places,
    models: [0, 1].map((m) => places.flatMap((p, i) => (p.model === m ? [i] : []))),
    rate: 10,
  })
  const request = (task = 0) => ({ id: 0, task, prompt: 10, memo: undefined })

  it('take turns, the least loaded, or any, and never a replica that is down', () => {
    const f = fleet(place(0, 5), place(0, 1, false), place(0, 3), place(1, 0))
    const turn = staticRouter()
    expect([1, 2, 3].map(() => turn.route(request(), f))).toEqual([0, 2, 0])
    expect(leastLoadedRouter().route(request(), f)).toBe(3)
    const any = randomRouter(seeded(1))
    expect(Array.from({ length: 50 }, () => any.route(request(), f))).not.toContain(1)
    const none = fleet(place(0, 0, false), place(1, 0, false))
    for (const r of [staticRouter(), leastLoadedRouter(), any, deadlineCapped({ batches: [1, 1] })]) {
      expect(r.route(request(), none)).toBe(-1)
    }
  })

  it('take the largest model that now fits', () => {
    const router = largestThatFits(1, (_, batch) => batch / 10)
    expect(router.route(request(), fleet(place(0, 9), place(1, 0)))).toBe(0)
    expect(router.route(request(), fleet(place(0, 10), place(1, 0)))).toBe(1)
    // Where nothing fits, the smallest.
    expect(router.route(request(), fleet(place(0, 10), place(1, 10)))).toBe(1)
  })

  it('fill a model up to its feasible batch, for tasks that gain little only half', () => {
    const router = deadlineCapped({ batches: [100, 100], gains: [0.1, 0.4], share: 1 })
    expect(router.route(request(0), fleet(place(0, 49), place(1, 0)))).toBe(0)
    expect(router.route(request(0), fleet(place(0, 50), place(1, 0)))).toBe(1)
    expect(router.route(request(1), fleet(place(0, 99), place(1, 0)))).toBe(0)
    expect(router.route(request(1), fleet(place(0, 100), place(1, 100)))).toBe(1)
  })
})

describe('figures', () => {
  it('are means and percentiles, with an interval where there are enough', () => {
    const column = new Column()
    expect(distribution(column)).toBeNull()
    for (let i = 1; i <= 101; i++) column.push(i)
    expect(distribution(column)).toEqual({ mean: 51, p50: 51, p90: 91, p99: 100, ci95: null })
    const random = seeded(3)
    let inside = 0
    for (let run = 0; run < 200; run++) {
      const [low, high] = batchMeans(Float64Array.from({ length: 512 }, random)) ?? [0, 0]
      if (low <= 0.5 && 0.5 <= high) inside++
    }
    expect(inside).toBeGreaterThan(180)
  })

  it('keep any run in some hundred windows', () => {
    const timeline = new Timeline()
    for (let t = 0; t < 5000; t++) timeline.at(t).arrivals++
    expect(timeline.windows.length).toBeLessThanOrEqual(240)
    expect(timeline.windows.reduce((sum, w) => sum + w.arrivals, 0)).toBe(5000)
  })

  it('of worth fall with lateness', () => {
    expect(timeliness(1, 1, undefined)).toBe(1)
    expect(timeliness(1.01, 1, undefined)).toBe(0)
    expect(timeliness(1.25, 1, 1)).toBe(0.75)
    expect(timeliness(3, 1, 1)).toBe(0)
  })

  it('of quality are by model and task', () => {
    expect(qualityOf(optQuality, ['opt-125m'], ['piqa', 'lambada'])).toEqual([[63, 37.9]])
    expect(() => qualityOf(optQuality, ['gpt-3'], ['piqa'])).toThrow('expected a row of gpt-3')
    expect(() => qualityOf(optQuality, ['opt-125m'], ['toString'])).toThrow('expected opt-125m on toString')
    expect(() => parseQuality({ a: { b: 'x' } }, 'f')).toThrow('a: b: expected an accuracy from 0')
  })
})
