// Times on a machine whose own ceilings were measured, by hand and by property; and what its file may say.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Ceilings, cacheRate, ceilingTime } from '../../hardware/ceiling-time.ts'
import { profileOf } from '../../hardware/profile.ts'
import { operatorTime } from '../../hardware/time.ts'
import { parseMachine } from '../../hardware/validate.ts'
import { loadModel } from '../../model/catalog.ts'
import type { Operator, Stream } from '../../model/operator.ts'
import { predict } from '../../simulate/predict.ts'

const ceilings: Ceilings = {
  launch: 1e-6,
  start: 2e-6,
  read: 20e9,
  write: 2,
  cache: [
    { bytes: 1e4, rate: 400e9 },
    { bytes: 1e6, rate: 100e9 },
    { bytes: 1e8, rate: 20e9 },
  ],
  tiles: 80e9,
  rows: 50e9,
  chains: 100e9,
  exponentials: 1e9,
  codes: 10e9,
  tables: 5e9,
  gather: 512,
  pass: 1e-5,
}

const machine = {
  name: 'local',
  vendor: 'me',
  kind: 'cpu',
  memory: { bandwidth: 25e9, capacity: 16e9 },
  peaks: { fp32: 100e9, bf16: 100e9, fp16: 100e9 },
  vector: { fp32: 100e9 },
  cache: { kind: 'L3', bytes: 32e6 },
  units: { kind: 'core', count: 2 },
  calibrated: { ceilings, probes: 20, protocol: 'by hand' },
}

function operator(o: Partial<Operator>): Operator {
  const nothing = {
    name: 'x',
    layers: '',
    count: 1,
    launches: 1,
    matrix: 0,
    vector: 0,
    unit: 'fp32',
    streams: [],
  } as const
  return { ...nothing, shape: { kind: 'stream', elements: 1 }, ...o }
}

const stream = (bytes: number, more: Partial<Stream> = {}): Stream => ({
  owner: 'activations',
  way: 'read',
  bytes,
  metadata: 0,
  ...more,
})

describe('time from ceilings', () => {
  it('is a launch, and bytes at the rate of a long read', () => {
    const time = ceilingTime(operator({ streams: [stream(20e6)] }), ceilings, false)
    expect(time).toEqual({ expected: expect.closeTo(1e-6 + 2e-6 + 1e-3, 12), term: 'memory' })
  })

  it('pays more for what is written', () => {
    const { expected } = ceilingTime(operator({ streams: [stream(20e6, { way: 'write' })] }), ceilings, false)
    expect(expected).toBeCloseTo(1e-6 + 2e-6 + 2e-3, 12)
  })

  it('overlaps memory and arithmetic by a norm between sum and maximum', () => {
    const shape = { kind: 'gemm', m: 1, n: 1, k: 1, matrices: 1 } as const
    const { expected, term } = ceilingTime(operator({ shape, matrix: 50e6, streams: [stream(20e6)] }), ceilings, false)
    expect(expected).toBeCloseTo(1e-6 + ((1e-3 + 2e-6) ** 1.5 + 1e-3 ** 1.5) ** (2 / 3), 12)
    expect(term).toBe('memory')
  })

  it('has products of many rows in tiles', () => {
    const shape = { kind: 'gemm', m: 512, n: 1, k: 1, matrices: 1 } as const
    expect(ceilingTime(operator({ shape, matrix: 80e6 }), ceilings, false).expected).toBeCloseTo(1e-6 + 1e-3, 12)
  })

  it.each([
    ['affine', 1e7, 1e-3],
    ['table', 1e7, 2e-3],
  ] as const)('unpacks %s codes at their rate', (codec, codes, seconds) => {
    const streams = [stream(codes / 2, { owner: 'kv', codec, codes })]
    const time = ceilingTime(operator({ streams }), { ...ceilings, read: 1e13, start: 0 }, false)
    expect(time.expected).toBeCloseTo(1e-6 + seconds, 6)
    expect(time.term).toBe('decode')
  })

  it('pays for each gathered piece, unless it is in a cache', () => {
    const gathered = operator({ streams: [stream(256e3, { run: 256 })] })
    expect(ceilingTime(gathered, ceilings, false).expected).toBeCloseTo(3e-6 + (256e3 + 512e3) / 20e9, 12)
    expect(ceilingTime(gathered, ceilings, true).expected).toBeCloseTo(
      1e-6 + 256e3 / cacheRate(256e3, ceilings.cache),
      12,
    )
  })

  it('takes exponentials, or the other work where that is longer', () => {
    expect(ceilingTime(operator({ vector: 5e6, exponentials: 1e6 }), ceilings, false).expected).toBeCloseTo(1.001e-3, 9)
    expect(ceilingTime(operator({ vector: 5e8, exponentials: 1e6 }), ceilings, false).expected).toBeCloseTo(5.001e-3, 9)
  })

  it('reads caches between the measured sizes by their logarithms, and beyond them like the last', () => {
    expect(cacheRate(1e3, ceilings.cache)).toBe(400e9)
    expect(cacheRate(1e5, ceilings.cache)).toBeCloseTo(200e9, -3)
    expect(cacheRate(1e9, ceilings.cache)).toBe(20e9)
  })

  it('is never shorter on lower ceilings', () => {
    const positive = fc.double({ min: 1, max: 1e10, noNaN: true })
    const name = fc.constantFrom('read', 'rows', 'tiles', 'chains', 'exponentials', 'codes', 'tables')
    fc.assert(
      fc.property(
        positive,
        positive,
        positive,
        fc.integer({ min: 1, max: 64 }),
        name,
        (bytes, matrix, codes, m, which) => {
          const o = operator({
            shape: { kind: 'gemm', m, n: 1, k: 1, matrices: 1 },
            matrix,
            vector: matrix / 3,
            exponentials: matrix / 9,
            streams: [stream(bytes, { codec: 'table', codes })],
          })
          const slower = { ...ceilings, [which]: ceilings[which as 'read'] / 2 }
          expect(ceilingTime(o, slower, false).expected).toBeGreaterThanOrEqual(
            ceilingTime(o, ceilings, false).expected,
          )
        },
      ),
    )
  })
})

describe('a machine with ceilings', () => {
  it('is read, and predicts with them and with what the host adds', async () => {
    const local = parseMachine(JSON.parse(JSON.stringify(machine)), 'local.json')
    const profile = profileOf(local)
    expect(profile.calibration).toBe('measured')
    const o = operator({ streams: [stream(20e6)] })
    expect(operatorTime(o, profile).expected).toBeCloseTo(1.003e-3, 9)
    expect(operatorTime(o, profile).bound).toBeCloseTo(20e6 / 25e9, 12)
    const architecture = await loadModel('gpt2-small')
    const answer = predict({ architecture, machine: local })
    const sum = answer.operators.reduce((s, row) => s + row.expected_s, 0)
    expect(answer.expected_s).toBeCloseTo(sum + ceilings.pass, 9)
    expect(answer.interval_s?.[1]).toBeCloseTo(1.32 * answer.expected_s, 9)
    expect(predict({ architecture, machine: local, calibration: 'global' }).calibration).toBe('global')
  })

  it.each([
    [{ ...machine.calibrated, ceilings: { ...ceilings, read: 1 } }, 'calibrated.ceilings.read: expected a number from'],
    [{ ...machine.calibrated, ceilings: { ...ceilings, cache: [] } }, 'expected at least one working set, got none'],
    [
      { ...machine.calibrated, ceilings: { ...ceilings, cache: ceilings.cache.toReversed() } },
      'expected working sets in order',
    ],
    [{ probes: 1, protocol: 'none' }, 'expected gemm or ceilings, got neither'],
  ])('is refused where its figures cannot be', (calibrated, message) => {
    expect(() => parseMachine({ ...machine, calibrated }, 'x.json')).toThrow(message)
  })
})
