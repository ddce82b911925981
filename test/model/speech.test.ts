// Speech encoders: every convolution against a loop over its outputs and taps, relative attention by hand, the rates of a
// Temporal U-Net, frames of audio, and the configs that make them.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { Audio, Module, Side, TemporalConvolution } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { type DeploymentOptions, deploy } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import { ConfigError, importConfig } from '../../model/import/config.ts'
import { memory } from '../../model/memory.ts'
import { addBytes, noBytes, type Operator, type Pass } from '../../model/operator.ts'
import { elements, parameters, weights } from '../../model/parameters.ts'
import { pass } from '../../model/pass.ts'
import { presets } from '../../model/presets/speech.ts'
import { parseFormat } from '../../model/quantity.ts'
import { audioFrames, exitRate, framesOf, outputLength, paddingOf, tokensAt, tokensOf } from '../../model/rate.ts'
import { encode, mixed, type Workload } from '../../model/workload.ts'
import { architecture } from './tiny.ts'

const sm = await loadModel('squeezeformer-sm')
const conformer = await loadModel('conformer-ctc-m')
const whisper = await loadModel('whisper-small')

function encoderOf(layers: readonly (readonly Module[])[], more: { input?: readonly Module[]; rate?: number } = {}) {
  const { input = [], rate } = more
  const groups = layers.map((modules, i) => ({ layers: [i], modules, ...(rate && { rate }) }))
  return architecture([], {
    kind: 'encoder',
    stacks: [{ name: 'encoder', width: 8, input, groups, output: [] }],
  })
}

function run(modules: readonly Module[], workload: Workload, options: DeploymentOptions = {}): Pass {
  return pass(deploy(encoderOf([modules]), options), workload)
}

function named(operators: Pass, name: string): Operator {
  const found = operators.find((o) => o.name === name)
  if (!found) throw new Error(`no operator ${name}: ${operators.map((o) => o.name).join()}`)
  return found
}

/** Places of the kernel along one dimension, found step by step. */
function steps(side: Side, input: number): number {
  const [before, after] = paddingOf(side, input)
  let outputs = 0
  for (let begin = -before; begin + side.kernel <= input + after; begin += side.stride) outputs++
  return outputs
}

/** FLOPs and elements of a convolution over one image, by a loop over everything; taps on padding are multiplied too. */
function byLoop(v: TemporalConvolution, length: number) {
  const time = steps(v.time, length)
  const across = v.features ? steps(v.features, v.features.size) : 1
  let flops = 0
  let written = 0
  for (let t = 0; t < time; t++)
    for (let f = 0; f < across; f++)
      for (let o = 0; o < v.channels.output; o++) {
        written++
        for (let i = 0; i < v.channels.input / v.groups; i++)
          for (let kt = 0; kt < v.time.kernel; kt++) for (let kf = 0; kf < (v.features?.kernel ?? 1); kf++) flops += 2
      }
  let weight = 0
  for (let o = 0; o < v.channels.output; o++)
    for (let i = 0; i < v.channels.input / v.groups; i++)
      for (let k = 0; k < v.time.kernel * (v.features?.kernel ?? 1); k++) weight++
  const bias = v.bias ? v.channels.output : 0
  return { flops, read: length * (v.features?.size ?? 1) * v.channels.input, written, weights: weight + bias }
}

const convolution: TemporalConvolution = {
  kind: 'temporal-convolution',
  name: 'conv',
  channels: { input: 4, output: 6 },
  groups: 1,
  bias: true,
  time: { kernel: 3, stride: 2, padding: [0, 1] },
}
const depthwise = { ...convolution, channels: { input: 6, output: 6 }, groups: 6 }
const features = { kernel: 3, stride: 2, padding: [0, 1], size: 10 } as const

describe('a convolution is what a loop counts', () => {
  const check = (v: TemporalConvolution, length: number, sequences: number) => {
    const o = named(run([v], encode(sequences, length)), v.name)
    const loop = byLoop(v, length)
    expect(o.matrix + o.vector).toBe(sequences * loop.flops)
    expect(v.groups > 1 ? o.matrix : o.vector).toBe(0)
    expect(o.streams.map((s) => [s.owner, s.way, s.bytes])).toEqual([
      ['weights', 'read', 2 * loop.weights],
      ['activations', 'read', 2 * sequences * loop.read],
      ['activations', 'write', 2 * sequences * loop.written],
    ])
    const { shape } = o
    if (shape.kind !== 'convolution') throw new Error(`expected a convolution, got ${shape.kind}`)
    expect(2 * shape.outputs * shape.channels * shape.taps).toBe(o.matrix + o.vector)
    expect(shape).toMatchObject({ inputs: v.channels.input, groups: v.groups })
    expect(shape.images?.[0]).toMatchObject({
      sequences,
      sides: [
        { input: length, ...v.time, padding: expect.anything() },
        ...(v.features ? [{ input: v.features.size }] : []),
      ],
    })
  }
  it.each([
    ['pointwise', { ...convolution, time: { kernel: 1, stride: 1, padding: [0, 0] } }],
    ['strided', convolution],
    ['two-dimensional', { ...convolution, features }],
    ['from one channel', { ...convolution, channels: { input: 1, output: 6 }, features }],
    ['depthwise', { ...depthwise, time: { kernel: 31, stride: 1, padding: 'same' } }],
    ['depthwise strided', { ...depthwise, time: { kernel: 5, stride: 2, padding: 'same' } }],
    ['depthwise two-dimensional', { ...depthwise, features }],
    ['grouped', { ...convolution, groups: 2 }],
    ['without bias', { ...convolution, bias: false }],
  ] as const)('%s', (_, v) => {
    for (const length of [7, 12, 31]) check(v, length, 3)
  })
  it('whatever its sizes', () => {
    const side = fc.record({
      kernel: fc.integer({ min: 1, max: 6 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.oneof(fc.constant('same' as const), fc.tuple(fc.nat(3), fc.nat(3))),
    })
    fc.assert(
      fc.property(side, side, fc.integer({ min: 6, max: 20 }), fc.boolean(), (time, other, length, flat) => {
        const v = { ...convolution, time, ...(flat ? {} : { features: { ...other, size: 9 } }) }
        check(v, length, 2)
        expect(outputLength('x', time, length)).toBe(steps(time, length))
      }),
      { numRuns: 60 },
    )
  })
  it('with its norm and activation as kernels of their own', () => {
    const v = { ...convolution, batchNorm: true, activation: 'glu' } as const
    const operators = run([v], encode(2, 12))
    const outputs = 2 * 6 * 6
    expect(named(operators, 'conv-batch-norm')).toMatchObject({ vector: 2 * outputs })
    expect(named(operators, 'conv-activation').streams.map((s) => s.bytes)).toEqual([2 * outputs, outputs])
    expect(weights(v).reduce((n, w) => n + elements(w), 0)).toBe(6 * 4 * 3 + 6 + 4 * 6)
  })
  it('refuses an input that its kernel does not fit', () => {
    const wide = { ...convolution, time: { kernel: 9, stride: 1, padding: [0, 1] } } as const
    expect(() => run([wide], encode(1, 7))).toThrow(
      'conv: expected an input as wide as its kernel of 9, got 7 and 1 of padding',
    )
    expect(() => run([wide], encode(1, 8))).not.toThrow()
  })
})

describe('relative attention', () => {
  const a = { kind: 'relative-attention', name: 'attention', width: 8, heads: 2, headDim: 4, bias: true } as const
  it('by hand', () => {
    const [sequences, tokens, inner] = [3, 5, 8]
    const operators = run([a], encode(sequences, tokens))
    const projection = 2 * sequences * tokens * 8 * inner
    for (const name of ['query', 'key', 'value', 'out'])
      expect(named(operators, `attention-${name}`).matrix).toBe(projection)
    // Nine distances, projected once for all sequences.
    expect(named(operators, 'attention-position').matrix).toBe(2 * 9 * 8 * inner)
    const terms = sequences * 2 * tokens * 9
    const scores = named(operators, 'attention-position-scores')
    expect(scores.matrix).toBe(2 * terms * 4)
    expect(scores.streams.map((s) => s.bytes)).toEqual([2 * (sequences * tokens * inner + 9 * inner), 2 * terms])
    const shifted = sequences * 2 * tokens * tokens
    expect(named(operators, 'attention-position-shift').streams.map((s) => s.bytes)).toEqual([2 * terms, 2 * shifted])
    const fused = named(operators, 'attention')
    expect(fused.matrix).toBe(4 * shifted * 4)
    expect(fused.shape).toMatchObject({ kind: 'attention', causal: false, bias: true, rows: [{ query: 5, kv: 5 }] })
    const operand = sequences * tokens * inner
    expect(fused.streams.map((s) => s.bytes)).toEqual([2 * (3 * operand + shifted), 2 * operand])
    // Five projections, four biases, and two biases per head and dimension.
    expect(weights(a).reduce((n, w) => n + elements(w), 0)).toBe(5 * 64 + 4 * 8 + 2 * 8)
  })
  it('computes the same products unfused, with scores through memory', () => {
    const fused = run([a], encode(3, 5))
    const unfused = run([a], encode(3, 5), { fusion: 'unfused' })
    const matrix = (p: Pass) => p.reduce((sum, o) => sum + o.matrix, 0)
    expect(matrix(unfused)).toBe(matrix(fused))
    const bytes = (p: Pass) => p.reduce((sum, o) => addBytes(sum, o), noBytes()).total
    expect(bytes(unfused)).toBeGreaterThan(bytes(fused))
  })
  it('is cut by heads', () => {
    const one = run([a], encode(3, 6))
    const two = run([a], encode(3, 6), { parallel: { tensor: 2 } })
    for (const name of ['attention', 'attention-query', 'attention-position', 'attention-position-scores'])
      expect(named(two, name).matrix).toBe(named(one, name).matrix / 2)
    expect(() => deploy(encoderOf([[a]]), { parallel: { tensor: 3 } })).toThrow(/divisor of the 2 heads/)
  })
  it('takes sequences of several lengths as they are', () => {
    const both = run([a], mixed(encode(2, 5), encode(1, 9)))
    const apart = [run([a], encode(2, 5)), run([a], encode(1, 9))]
    const sum = (name: string, of: Pass[]) =>
      of.flatMap((p) => p.filter((o) => o.name === name)).reduce((n, o) => n + o.matrix, 0)
    for (const name of ['attention', 'attention-position-scores', 'attention-out'])
      expect(sum(name, [both])).toBe(sum(name, apart))
    expect(named(both, 'attention-position').shape).toMatchObject({ m: 17 })
  })
})

describe('a Temporal U-Net', () => {
  const attentions = (p: Pass) => p.filter((o) => o.name === 'attention')
  it('quarters the scores where it halves the rate, exactly', () => {
    const [full, , half] = attentions(pass(deploy(sm), encode(2, 750)))
    expect(full?.layers).toBe('0-6')
    expect(half?.layers).toBe('8-14')
    expect((half as Operator).matrix).toBe((full as Operator).matrix / 4)
    const lengths = attentions(pass(deploy(sm), encode(1, 751))).map((o) =>
      o.shape.kind === 'attention' ? o.shape.rows[0]?.kv : 0,
    )
    expect(lengths).toEqual([751, 376, 376, 751])
  })
  it('adds what was there before the rate fell, at the old length', () => {
    const p = pass(deploy(sm), encode(1, 751))
    const bytes = (name: string) => named(p, name).streams.map((s) => s.bytes / 4 / 256)
    expect(bytes('time-recover-repeat')).toEqual([376, 751])
    expect(bytes('time-recover-skip')).toEqual([2 * 751, 751])
    expect(named(p, 'time-recover').shape).toMatchObject({ m: 751, n: 256, k: 256 })
    expect(named(p, 'time-reduce-pointwise').shape).toMatchObject({ outputs: 376, channels: 256, taps: 256 })
    expect(named(p, 'ctc-head').shape).toMatchObject({ m: 751, n: 128 })
  })
  it('may have several levels, and may never come back', () => {
    const make = (more: object) => importConfig({ ...presets['squeezeformer-xs'], ...more }, 'mine')
    const rows = (a: ReturnType<typeof make>, tokens: number) =>
      attentions(pass(deploy(a), encode(1, tokens))).map((o) => [
        o.layers,
        o.shape.kind === 'attention' ? o.shape.rows[0]?.kv : 0,
      ])
    const two = make({ time_reduce_layers: [3, 6], time_recover_layers: [9, 12] })
    expect(rows(two, 101)).toEqual([
      ['0-2,13-15', 101],
      ['3', 51],
      ['4-5,10-11', 51],
      ['6', 26],
      ['7-8', 26],
      ['9', 51],
      ['12', 101],
    ])
    const once = make({ time_reduce_layers: 4, time_recover_layers: null })
    const head = named(pass(deploy(once), encode(1, 101)), 'ctc-head')
    expect(head.shape).toMatchObject({ m: 51 })
    expect(exitRate((once.stacks[0] as never) ?? once)).toBe(2)
    expect(exitRate(sm.stacks[0] as never)).toBe(1)
  })
})

describe('frames and tokens', () => {
  const audio: Audio = { sampleRate: 16_000, window: 400, hop: 160, framing: 'centred' }
  it.each([
    ['centred', 30, 3001],
    ['inside', 30, 2998],
    ['all-but-last', 30, 3000],
    ['centred', 0.29, 30],
    ['inside', 0.025, 1],
    ['all-but-last', 0.0251, 2],
  ] as const)('%s frames of %d s are %d', (framing, seconds, frames) => {
    expect(audioFrames({ ...audio, framing }, seconds)).toBe(frames)
  })
  it('need a window', () => {
    expect(() => audioFrames(audio, 0.0249)).toThrow('audio: expected at least one window of 25 ms, got 0.0249 s')
  })
  it.each([
    [sm, 3000, 750],
    [sm, 3001, 750],
    [sm, 3003, 750],
    [sm, 3004, 751],
    [whisper, 3000, 1500],
    [whisper, 2999, 1500],
    [whisper, 1, 1],
  ] as const)('%# frames make tokens', (a, frames, tokens) => {
    expect(tokensOf(a.stacks[0] as never, frames)).toBe(tokens)
  })
  it('are found back from tokens', () => {
    for (const a of [sm, conformer, whisper])
      for (const tokens of [1, 2, 3, 50, 749, 750]) {
        const stack = a.stacks[0] as never
        expect(tokensOf(stack, framesOf(stack, tokens))).toBe(tokens)
      }
    expect(framesOf(sm.stacks[0] as never, 750)).toBe(3000)
    expect(framesOf(whisper.stacks[0] as never, 1500)).toBe(3000)
  })
  it('must agree', () => {
    expect(() => pass(deploy(sm), encode(1, 750, 3010))).toThrow('frames: expected what makes 750 tokens, got 3010')
  })
  it('round up at lower rates', () => {
    expect([1, 2, 3].map((rate) => tokensAt(rate, 7))).toEqual([7, 4, 3])
  })
})

describe("Whisper's convolutions", () => {
  it('are what a loop counts', () => {
    const p = pass(deploy(whisper), encode(2, 1500, 3000))
    const first = named(p, 'convolution-1')
    const second = named(p, 'convolution-2')
    expect(first.matrix).toBe(2 * 2 * 3000 * 768 * 80 * 3)
    expect(second.matrix).toBe(2 * 2 * 1500 * 768 * 768 * 3)
    expect(first.streams.map((s) => s.bytes)).toEqual([4 * (768 * 80 * 3 + 768), 4 * 2 * 3000 * 80, 4 * 2 * 3000 * 768])
    expect(second.streams.map((s) => s.bytes / 4)).toEqual([768 * 768 * 3 + 768, 2 * 3000 * 768, 2 * 1500 * 768])
    expect(named(p, 'convolution-1-activation').vector).toBe(8 * 2 * 3000 * 768)
  })
})

describe('configs', () => {
  const base = presets['squeezeformer-sm'] ?? {}
  const plain = presets['conformer-ctc-m'] ?? {}
  const make = (more: object, of = base) => importConfig({ ...of, ...more }, 'mine')
  const total = (a: ReturnType<typeof make>) => parameters(a).total

  it('need only their widths', () => {
    const short = {
      model_type: 'squeezeformer',
      hidden_size: 256,
      num_hidden_layers: 16,
      num_attention_heads: 4,
      vocab_size: 128,
    }
    const a = importConfig({ ...short, time_reduce_layers: 7, time_recover_layers: 15 }, 'mine')
    expect(a.stacks).toEqual(sm.stacks)
    expect(a.reading.assumed.length).toBeGreaterThan(5)
    expect(importConfig({ ...short, model_type: 'conformer' }, 'mine').stacks).toEqual(conformer.stacks)
    expect(() => importConfig({ model_type: 'conformer' }, 'mine')).toThrow(/hidden_size.*missing/)
  })
  it('count every step from Conformer-CTC-M to Squeezeformer-SM', () => {
    const unet = { time_reduce_layers: [7], time_recover_layers: [15] }
    const order = { block_order: ['attention', 'ffn', 'convolution', 'ffn'], normalization: 'pre-and-post' }
    const steps = [
      {},
      unet,
      order,
      { conv_activation: 'swish' },
      { normalization: 'scaled-post' },
      { subsampling: 'depthwise-separable' },
    ]
    let fields = {}
    const counts = steps.map((step) => {
      fields = { ...fields, ...step }
      return (total(make(fields, plain)) / 1e6).toFixed(3)
    })
    expect(counts).toEqual(['27.369', '27.502', '27.527', '28.723', '28.723', '28.201'])
    expect(make(fields, plain).stacks).toEqual(sm.stacks)
  })
  it('place norms and sub-layers, and drop positions, as asked', () => {
    const norms = (a: ReturnType<typeof make>) =>
      a.stacks[0]?.groups[0]?.modules.filter((m) => m.kind === 'norm').length
    expect(
      ['pre', 'post', 'pre-and-post', 'scaled-post'].map((normalization) => norms(make({ normalization }))),
    ).toEqual([5, 4, 8, 4])
    const kinds = make({ position_embedding_type: 'rotary', block_order: ['convolution', 'attention'] }).stacks[0]
      ?.groups[0]?.modules
    expect(kinds?.map((m) => m.name)).toEqual([
      'convolution-scale',
      ...['convolution-in', 'convolution-depthwise', 'convolution-out', 'convolution-post-norm'],
      ...['attention-scale', 'attention', 'attention-post-norm'],
    ])
    expect(total(make({ position_embedding_type: 'none' }))).toBe(total(sm) - 16 * (256 * 256 + 2 * 256))
  })
  it.each([
    [
      { time_reduce_layers: 7, time_recover_layers: 5 },
      'time_recover_layers: expected a layer after that of time_reduce_layers (7), got 5',
    ],
    [
      { time_reduce_layers: 7, time_recover_layers: 7 },
      'time_recover_layers: expected a layer after that of time_reduce_layers (7), got 7',
    ],
    [
      { time_reduce_layers: null, time_recover_layers: 7 },
      'time_recover_layers: expected no more of them than of time_reduce_layers (none), got 7',
    ],
    [{ time_reduce_layers: 16 }, 'time_reduce_layers: expected layers from 0 to 15, got 16'],
    [{ time_reduce_layers: [3, 3] }, 'time_reduce_layers: expected each layer once, got 3, 3'],
    [{ time_reduce_layers: -1 }, 'time_reduce_layers: expected a whole number from 0, got -1'],
    [{ time_reduce_layers: '7' }, 'time_reduce_layers: expected a layer or a list of layers, got "7"'],
    [{ time_reduce_kernel_size: 5001 }, 'time_reduce_kernel_size: expected at most max_position_embeddings = 5000'],
    [{ time_reduce_stride: 1 }, 'time_reduce_stride: expected at least 2, got 1'],
    [
      { subsampling_kernel_size: 41 },
      'subsampling_kernel_size: expected 2 to 40, the features that the second convolution finds of num_mel_bins = 80, got 41',
    ],
    [{ num_mel_bins: 3 }, 'num_mel_bins: expected at least 4'],
    [{ conv_kernel_size: 5001 }, 'conv_kernel_size: expected at most max_position_embeddings = 5000, got 5001'],
    [{ block_order: [] }, 'block_order: expected 1 to 16 of attention, convolution, ffn'],
    [{ block_order: ['mlp'] }, 'block_order[0]: expected one of attention, convolution, ffn, got "mlp"'],
    [{ normalization: 'none' }, 'normalization: expected one of pre, post, pre-and-post, scaled-post, got "none"'],
    [{ subsampling: 'vgg' }, 'subsampling: expected one of full, depthwise-separable, got "vgg"'],
    [{ num_attention_heads: 5 }, 'hidden_size: 256 is not divisible by num_attention_heads = 5'],
    [{ hidden_size: 0 }, 'hidden_size: expected a positive integer, got 0'],
  ])('refuse %j', (more, message) => {
    expect(() => make(more)).toThrow(ConfigError)
    expect(() => make(more)).toThrow(message)
  })
})

test('weights read are the weights held, whatever the format', () => {
  for (const a of [sm, conformer])
    for (const options of [{ weights: format('fp16') }, { roles: { convolution: parseFormat('int4:group=16') } }]) {
      const d = deploy(a, options)
      const p = pass(d, encode(1, 750))
      const read = p.reduce((sum, o) => addBytes(sum, o), noBytes())
      expect(read.weights + read.metadata).toBeCloseTo(memory(d, encode(1, 750), p).weights, 6)
      if (options.weights) expect(read.weights).toBe(2 * parameters(a).total)
      else expect(read.metadata).toBeGreaterThan(0)
    }
})

test('the documented fields are those that are read', () => {
  const page = readFileSync(new URL('../../docs/speech.md', import.meta.url), 'utf8')
  const documented = new Set([...page.matchAll(/`([a-z_]+)`/g)].map((m) => m[1]))
  for (const field of sm.reading.used) if (field !== 'model_type') expect(documented, field).toContain(field)
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const fields = rows.flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([a-z_]+)`/g)].map((m) => m[1]))
  expect([...sm.reading.used].filter((field) => field !== 'model_type').sort()).toEqual(fields.sort())
})

test('a field that is not one, or of no effect, is part of the answer', () => {
  const slip = { ...presets['conformer-ctc-m'], time_reduce_layer: 7, time_reduce_stride: 2 }
  expect(importConfig(slip, 'mine').reading.ignored).toEqual(
    ['time_reduce_layer', 'time_reduce_stride'].map(
      (key) => `${key} (no field of a speech encoder, or of no effect here)`,
    ),
  )
})
