// Ceilings measured on threads with a clock that is made up: what the clock was made of is what must come out.
import { describe, expect, it } from 'vitest'
import type { Backend } from '../../kernels/backend.ts'
import { calibrate, streamLine } from '../../kernels/calibrate.ts'
import type { Protocol } from '../../kernels/protocol.ts'
import { wasmDevice } from './device.ts'

const device = wasmDevice(1)

const launch = 3e-6
const start = 10e-6
const rate = 10e9

/** Seconds that a launch of these functions is said to take, of operands in memory (`cold`) or in a cache. */
function secondsOf(name: string, args: readonly number[], cold: boolean): number {
  const [a = 0, b = 0] = args
  switch (name) {
    case 'read':
      return cold ? start + (4 * a + a / 4096) / rate : (4 * a) / 40e9
    case 'copy':
      return start + (4 * a + 4 * a * 1.5) / rate
    case 'fma':
      return (a * b * 32) / 50e9
    case 'multiply':
      return (2 * 192 * 192 * 320) / 30e9
    case 'gemv':
      return (2 * 8 * 160 * 1600) / 20e9
    case 'softmax':
      return (192 * 1600) / 1e9
    case 'unpack':
      return (a * 16384) / 8e9
    case 'lookup':
      return (a * 16384) / 4e9
    case 'gather':
      return start + (a * (256 + 4 + 4 + 700)) / rate
    default:
      return 0
  }
}

/** The device with that clock. */
function clocked(backend: Backend, cold: () => boolean): Backend {
  const names = new Map<unknown, string>()
  let spent = 0
  return new Proxy(backend, {
    get: (target, key) => {
      if (key === 'compile') {
        return async (source: string) => {
          const program = await target.compile(source)
          names.set(program, source)
          return program
        }
      }
      if (key === 'dispatch') {
        return (...call: Parameters<Backend['dispatch']>) => {
          const [program, , , args] = call
          target.dispatch(...call)
          spent += launch + secondsOf(names.get(program) ?? '', args, cold())
        }
      }
      if (key === 'time') {
        return async (run: () => void) => {
          spent = 0
          await target.time(run)
          return spent
        }
      }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const protocol: Protocol = { warmup: 0, sample: 0, least: 1, most: 1, budget: 0, settled: 1, repeats: 2 }

describe('calibrate', () => {
  it('finds the ceilings that the clock was made of', async () => {
    let now = 0
    const seen: string[] = []
    const { ceilings, roofs, cache, probes } = await calibrate(
      clocked(device.backend, () => !seen.at(-1)?.includes('again')),
      {
        cache: 2 ** 20,
        protocol,
        now: () => {
          now += 50e-6
          return now
        },
        progress: (_, __, at) => {
          seen.push(at)
        },
      },
    )
    const near = (value: number, expected: number) => expect(value / expected).toBeCloseTo(1, 2)
    near(ceilings.launch, launch)
    near(ceilings.read, rate)
    near(ceilings.start, start)
    near(ceilings.write, 1.5)
    near(ceilings.chains, 50e9)
    near(ceilings.rows, 20e9)
    near(ceilings.tiles, 30e9)
    near(ceilings.exponentials, 1e9)
    near(ceilings.codes, 8e9)
    near(ceilings.tables, 4e9)
    near(ceilings.gather, 700)
    near(ceilings.pass, 50e-6 - launch)
    for (const { rate } of ceilings.cache) expect(rate / 40e9).toBeCloseTo(1, 2)
    near(roofs.bandwidth, 10e9 * (1 / (1 + (start + launch) / (2 ** 26 / 10e9))))
    expect(roofs.fp16).toBeUndefined()
    expect(cache).toBe(2 ** 20)
    expect(seen).toEqual(probes.map((p) => p.name))
  })
})

describe('a line through streams', () => {
  const points = [1e6, 1e7, 1e8].map((bytes) => ({ bytes, seconds: 5e-6 + 2e-6 + bytes / 3e9 }))

  it('is start and rate', () => {
    const { start: found, rate: slope } = streamLine(points, 5e-6)
    expect(found).toBeCloseTo(2e-6, 12)
    expect(slope / 3e9).toBeCloseTo(1, 9)
  })

  it('starts at 0 where noise would put it below', () => {
    const noisy = points.map((p, i) => ({ ...p, seconds: p.seconds * (i === 0 ? 0.9 : 1) }))
    expect(streamLine(noisy, 5e-6).start).toBe(0)
  })
})
