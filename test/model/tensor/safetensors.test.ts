import { expect, test } from 'vitest'
import { decode, encode, floats, headerBytes, parseHeader, safetensors } from '../../../model/tensor/safetensors.ts'
import { layersOf } from '../../../model/tensor/source.ts'
import { tensor } from '../../../model/tensor/tensor.ts'

const numbers = Float32Array.from([0, 1, -2.5, 0.0078125, 65280, -0.5])
const x = tensor({ tokens: 3, heads: 1, headDim: 2 }, numbers)

function read(file: Uint8Array) {
  const length = headerBytes(file.subarray(0, 8), file.length)
  return parseHeader(new TextDecoder().decode(file.subarray(8, 8 + length)), length, file.length)
}

/** A file with this header and so many bytes behind it. */
function fileOf(header: unknown, data: number): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header)
  const file = new Uint8Array(8 + text.length + data)
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true)
  file.set(new TextEncoder().encode(text), 8)
  return file
}

test.each(floats)('%s: what is written is read', (dtype) => {
  const file = safetensors({ 'layers.0.key': x, 'layers.0.value': x }, dtype)
  const entries = read(file)
  expect(entries.map((e) => [e.name, e.dtype, e.shape])).toEqual([
    ['layers.0.key', dtype, [3, 1, 2]],
    ['layers.0.value', dtype, [3, 1, 2]],
  ])
  for (const { begin, end } of entries) {
    const into = new Float32Array(6)
    decode(file.subarray(begin, end), dtype, into)
    expect(into).toEqual(numbers)
  }
  expect(encode(numbers, dtype).length).toBe(6 * (dtype === 'F32' ? 4 : 2))
})

const row = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({ dtype, shape, data_offsets: offsets })

test.each<[string, unknown, number, RegExp]>([
  ['data cut short', { a: row([2], [0, 8]) }, 4, /a: expected a file of at least \d+ bytes, got \d+: it is cut short/],
  ['data too long', { a: row([2], [0, 8]) }, 9, /expected a file of \d+ bytes as its header says, got \d+/],
  [
    'fewer bytes than the shape',
    { a: row([3], [0, 8]) },
    8,
    /a: expected 12 bytes for F32 of \[3\], got data_offsets 0 to 8/,
  ],
  ['a shape beyond all numbers', { a: row([1e15, 1e15], [0, 8]) }, 8, /a: expected .* bytes for F32/],
  ['an overlap', { a: row([2], [0, 8]), b: row([2], [4, 12]) }, 12, /b: expected bytes of its own, got an overlap/],
  ['a hole', { a: row([1], [0, 4]), b: row([1], [8, 12]) }, 12, /b: expected to begin at byte 4, got 8/],
  ['offsets backwards', { a: row([2], [8, 0]) }, 8, /a: expected 8 bytes/],
  ['negative offsets', { a: row([2], [-8, 0]) }, 8, /a: expected two whole numbers as data_offsets/],
  ['an unknown dtype', { a: row([2], [0, 8], 'F31') }, 8, /a: expected a dtype \(.*\), got "F31"/],
  ['a dtype of Object', { a: row([2], [0, 8], 'constructor') }, 8, /a: expected a dtype/],
  ['a shape of words', { a: row(['2'], [0, 8]) }, 8, /a: expected a shape of whole numbers/],
  ['nothing of a tensor', { a: null }, 8, /a: expected a dtype/],
  ['no JSON', '{"a":', 0, /expected a safetensors header in JSON/],
  ['a list', [], 0, /expected a JSON object/],
])('%s is refused', (_, header, data, message) => {
  expect(() => read(fileOf(header, data))).toThrow(message)
})

test('a header longer than the file is refused before it is read', () => {
  const file = fileOf({ a: row([2], [0, 8]) }, 8)
  expect(() => read(file.subarray(0, 20))).toThrow(/expected a header of \d+ bytes, got a file of 20: it is cut short/)
  expect(() => read(file.subarray(0, 5))).toThrow('expected a safetensors file, got one of 5 bytes')
  expect(() => read(new Uint8Array(64).fill(255))).toThrow(/header of at most 100000000 bytes/)
})

test('metadata and empty tensors are no fault', () => {
  expect(read(fileOf({ __metadata__: { format: 'pt' }, a: row([0, 4], [0, 0]), b: row([1], [0, 4]) }, 4))).toHaveLength(
    2,
  )
})

test('layers are found by name and checked', () => {
  const entry = (name: string, shape = [4, 2, 8], dtype = 'F16' as const) => ({ name, dtype, shape, begin: 0, end: 0 })
  const of = (...names: string[]) => layersOf(names.map((n) => entry(n)))
  const found = of('layers.10.key', 'layers.10.value', 'layers.2.value', 'layers.2.key', 'lm_head', 'layers.2.bias')
  expect(found.layers.map((l) => l.layer)).toEqual([2, 10])
  expect(found.ignored).toEqual(['lm_head', 'layers.2.bias'])
  expect(() => of('weights')).toThrow('expected tensors layers.N.key and layers.N.value, got weights')
  expect(() => of('layers.1.key', 'layers.01.key')).toThrow('layers.01.key: expected one tensor of this layer and name')
  expect(() => layersOf([entry('layers.0.key', [4, 16])])).toThrow(/expected a shape \[tokens, heads, head_dim\]/)
  expect(() => layersOf([entry('layers.0.key', [4, 0, 16])])).toThrow(/without zeros, got \[4, 0, 16\]/)
  expect(() => layersOf([{ ...entry('layers.0.key'), dtype: 'I8' }])).toThrow(
    'layers.0.key: expected F32, F16, BF16, got I8',
  )
})
