// Grids: every point is the query that its values ask for, and the rows of a grid are those predictions.
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { loadModel } from '../../../model/catalog.ts'
import { format } from '../../../model/format.ts'
import { seeded } from '../../../model/random.ts'
import { parseExpression } from '../../../simulate/expression.ts'
import { parseMethod } from '../../../simulate/method.ts'
import { predict } from '../../../simulate/predict.ts'
import { Front, parseObjectives } from '../../../simulate/whatif/pareto.ts'
import { noRequest, planOf, type Request } from '../../../simulate/whatif/plan.ts'
import { answerPoints, type Row, refused, rowAt } from '../../../simulate/whatif/row.ts'
import { parseVariant } from '../../../simulate/whatif/variant.ts'

const load = { model: loadModel, machine: loadMachine }
const base: Request = { ...noRequest, models: ['llama-3.1-8b'], machines: ['h100-sxm'] }
const grid = (request: Partial<Request>) => planOf({ ...base, ...request }, load)
const none = { prices: { of: {} } }

async function rows(request: Partial<Request>): Promise<Row[]> {
  const plan = await grid(request)
  const out: Row[] = []
  await answerPoints(plan, 0, plan.count, none, (row) => out.push(row))
  return out
}

describe('a grid', () => {
  it('has every combination once, batch the fastest', async () => {
    const plan = await grid({
      machines: ['t4', 'h100-sxm'],
      settings: { batch: '1,8', context: '1k:4k:x2', kv: 'fp8|bf16' },
    })
    expect(plan.axes.map((a) => a.name)).toEqual(['machine', 'kv', 'context', 'batch'])
    expect(plan.count).toBe(2 * 2 * 3 * 2)
    expect(plan.point(0)).toEqual({ machine: 't4', kv: 'fp8', context: 1024, batch: 1 })
    expect(plan.point(1)).toEqual({ machine: 't4', kv: 'fp8', context: 1024, batch: 8 })
    expect(plan.point(23)).toEqual({ machine: 'h100-sxm', kv: 'bf16', context: 4096, batch: 8 })
    const points = Array.from({ length: plan.count }, (_, i) => JSON.stringify(plan.point(i)))
    expect(new Set(points).size).toBe(plan.count)
  })

  it('answers as predict does, whichever points were asked before', async () => {
    const plan = await grid({
      machines: ['a100', 'h100-sxm'],
      settings: { batch: '1,16', context: '4k,32k', tp: '1,2' },
      weights: ['bf16|int4', 'head=int8'].slice(0, 1),
      methods: ['kvquant:bits=2|3'],
      figures: ['bandwidth=1TB/s,4TB/s'],
    })
    const random = seeded(7)
    for (let k = 0; k < 12; k++) {
      const i = Math.floor(random() * plan.count)
      const at = plan.point(i)
      const shipped = await loadMachine(at.machine as string)
      const query = {
        architecture: await loadModel('llama-3.1-8b'),
        machine: { ...shipped, memory: { ...shipped.memory, bandwidth: at.bandwidth as number } },
        batch: at.batch as number,
        context: at.context as number,
        deployment: { weights: format(at.weights === 'int4' ? 'int4' : 'bf16'), parallel: { tensor: at.tp as number } },
        methods: [await parseMethod(`kvquant:bits=${at['kvquant.bits']}`)],
      }
      const { operators: _, ...expected } = predict(query)
      expect(await rowAt(plan, i, none)).toMatchObject(expected as never)
    }
  })

  it('has the reason where a point cannot be asked', async () => {
    const out = await rows({ settings: { tp: '1:4' } })
    expect(out.map(refused)).toEqual([false, false, true, false])
    expect(out[2]).toEqual({ point: { tp: 3 }, error: 'tp: expected a divisor of the 32 heads of llama-3.1-8b, got 3' })
  })

  it('compares variants with the query itself', async () => {
    const out = await rows({
      settings: { context: '64k' },
      versus: ['name=small;with=kvquant:bits=3;weights=int4', 'window:tokens=4k', 'on=t4;batch=4'],
    })
    expect(out.map((r) => r.point.variant)).toEqual(['plain', 'small', 'window:tokens=4k', 'on=t4;batch=4'])
    expect(out[1]).toMatchObject({
      workload: { formats: { weights: 'int4', kv: 'kvquant 3-bit' } },
      methods: [{ name: 'kvquant' }],
    })
    expect(out[3]).toMatchObject({ machine: 't4', workload: { batch: 4 } })
  })

  it('leaves out what where refuses, and counts it', async () => {
    const plan = await grid({ settings: { batch: '1:64:x2', context: '32k' } })
    const where = await parseExpression('--where', 'memory.fits')
    const metric = await parseExpression('--metric', 'tokens_per_s / batch')
    const kept: Row[] = []
    const tally = await answerPoints(plan, 0, plan.count, { ...none, where, metric }, (row) => kept.push(row))
    expect([kept.length, tally.rows, tally.left_out]).toEqual([5, 5, 2])
    expect(kept.every((r) => !refused(r) && r.metric === r.tokens_per_s / r.workload.batch)).toBe(true)
  })

  it.each([
    [{ settings: { tokens: '1' } }, /got tokens/],
    [{ models: ['llama-3.1-8b', 'llama-3.1-8b'] }, /model: expected different ones/],
    [{ figures: ['speed=1'] }, /set: expected bandwidth=values/],
    [{ figures: ['link=0'] }, /link: expected/],
    [{ weights: ['experts=int4'] }, /llama-3.1-8b has no experts weights/],
    [{ weights: ['int4', 'int8'] }, /weights: expected one set/],
    [{ settings: { kv: 'fp8|fp9' } }, /kv: expected a format/],
    [{ settings: { phase: 'decode,prefil' } }, /nearest: prefill/],
    [{ settings: { batch: '1,2' }, versus: ['batch=4'] }, /leaves batch alone/],
    [{ versus: ['kvquant', 'kvquant'] }, /got kvquant twice/],
    [{ versus: ['speed=2'] }, /got speed/],
    [{ versus: ['batch=1,2'] }, /one value of batch/],
    [{ figures: ['bandwidth=1e12'], versus: ['on=t4'] }, /same machine/],
  ] as const)('%j is refused', async (request, message) => {
    await expect(grid(request as unknown as Partial<Request>)).rejects.toThrow(message)
  })
})

describe('a variant', () => {
  it('is a method, or settings with a name', () => {
    expect(parseVariant('draft:model=llama-3.2-1b,alpha=0.8')).toEqual({
      name: 'draft:model=llama-3.2-1b,alpha=0.8',
      changes: [],
      methods: ['draft:model=llama-3.2-1b,alpha=0.8'],
    })
    expect(parseVariant('name=a b; with=kvquant; kv=fp8')).toEqual({
      name: 'a b',
      changes: [['kv', 'fp8']],
      methods: ['kvquant'],
    })
  })
  it.each(['', ';', 'name=x', 'kv='])('%j is none', (text) => {
    expect(() => parseVariant(text)).toThrow(RangeError)
  })
})

describe('a Pareto front', () => {
  it('is what comparing all pairs leaves', () => {
    const random = seeded(3)
    for (const [bestX, bestY] of [
      ['least', 'most'],
      ['most', 'most'],
      ['least', 'least'],
    ] as const) {
      // Few values, so that there are ties.
      const points = Array.from({ length: 400 }, (_, item) => ({
        x: Math.floor(random() * 40),
        y: Math.floor(random() * 40),
        item,
      }))
      const front = new Front<number>(bestX, bestY)
      for (const p of points) front.add(p.x, p.y, p.item)
      const [sx, sy] = [bestX === 'least' ? 1 : -1, bestY === 'least' ? 1 : -1]
      const beaten = (p: (typeof points)[number]) =>
        points.some((q) => q.x * sx <= p.x * sx && q.y * sy <= p.y * sy && (q.x !== p.x || q.y !== p.y))
      const expected = new Set(points.filter((p) => !beaten(p)).map((p) => `${p.x} ${p.y}`))
      expect(front.points().map((p) => `${p.x} ${p.y}`)).toEqual(
        [...expected].sort((a, b) => sx * (Number(a.split(' ')[0]) - Number(b.split(' ')[0]))),
      )
    }
  })
  it('knows which way figures are better, or asks', async () => {
    const [x, y] = await parseObjectives('--pareto', 'time_per_output_token_s,tokens_per_s / devices:most')
    expect([x.best, y.best]).toEqual(['least', 'most'])
    await expect(parseObjectives('--pareto', 'tokens_per_s,batch')).rejects.toThrow(':least or :most after batch')
    await expect(parseObjectives('--pareto', 'min(bound_s, floor_s):least,memory.total')).resolves.toHaveLength(2)
    await expect(parseObjectives('--pareto', 'tokens_per_s')).rejects.toThrow('two figures')
  })
})
