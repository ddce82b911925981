// The safetensors format (huggingface.co/docs/safetensors): 8 bytes with the header's length, the header as JSON, the
// numbers. Everything the header says is checked against the file's size before anybody allocates what it asks for.
// Reading bytes is not here.
import { bf16Bits, bf16Value, fp16Bits, fp16Values } from './half.ts'
import { elements, type Shape, type Tensor } from './tensor.ts'

/** Bytes of an element, by the format's name for it. Only floats are read; the others may stand in the file. */
const elementBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const
export type Dtype = keyof typeof elementBytes

export const floats = ['F32', 'F16', 'BF16'] as const
export type Float = (typeof floats)[number]

/** One tensor of a file. */
export interface Entry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Bytes of the file: from, to. */
  readonly begin: number
  readonly end: number
}

/** Bytes before the header. */
export const prefixBytes = 8
/** What the reference implementation takes. */
const longestHeader = 100_000_000

/** The header's bytes, from the file's first eight. Throws Error. */
export function headerBytes(first: Uint8Array, fileBytes: number): number {
  if (first.length < prefixBytes || fileBytes < prefixBytes) {
    throw new Error(`expected a safetensors file, got one of ${fileBytes} bytes`)
  }
  const length = Number(new DataView(first.buffer, first.byteOffset, prefixBytes).getBigUint64(0, true))
  if (length > longestHeader) {
    throw new Error(
      `expected a safetensors header of at most ${longestHeader} bytes, got one said to be ${length}: is it safetensors?`,
    )
  }
  if (prefixBytes + length > fileBytes) {
    throw new Error(
      `expected a header of ${length} bytes, got a file of ${fileBytes}: it is cut short, or not safetensors`,
    )
  }
  return length
}

/** The tensors that a header lists, in the file's order. `text` is the header, `fileBytes` the whole file's. Throws Error. */
export function parseHeader(text: string, length: number, fileBytes: number): Entry[] {
  const origin = prefixBytes + length
  const entries = Object.entries(headerObject(text))
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => entry(name, value, origin, fileBytes))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
  // The format allows neither overlaps nor holes; both hide numbers that nobody would look at.
  let end = origin
  for (const e of entries) {
    if (e.begin < end) throw new Error(`${e.name}: expected bytes of its own, got an overlap with the tensor before it`)
    if (e.begin > end) throw new Error(`${e.name}: expected to begin at byte ${end - origin}, got ${e.begin - origin}`)
    end = e.end
  }
  if (end !== fileBytes) throw new Error(`expected a file of ${end} bytes as its header says, got ${fileBytes}`)
  return entries
}

function headerObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('expected a safetensors header in JSON, got something else')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('expected a JSON object as safetensors header, got something else')
  }
  return value as Record<string, unknown>
}

function entry(name: string, value: unknown, origin: number, fileBytes: number): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw new Error(`${name}: expected a dtype (${Object.keys(elementBytes).join(', ')}), got ${shown(dtype)}`)
  }
  if (!wholeNumbers(shape)) throw new Error(`${name}: expected a shape of whole numbers, got ${shown(shape)}`)
  if (!wholeNumbers(offsets) || offsets.length !== 2) {
    throw new Error(`${name}: expected two whole numbers as data_offsets, got ${shown(offsets)}`)
  }
  const [from, to] = offsets as [number, number]
  const bytes = shape.reduce((product, n) => product * n, elementBytes[dtype as Dtype])
  if (!Number.isSafeInteger(bytes) || to - from !== bytes) {
    throw new Error(
      `${name}: expected ${bytes} bytes for ${dtype} of ${shown(shape)}, got data_offsets ${from} to ${to}`,
    )
  }
  if (origin + to > fileBytes) {
    const least = origin + to
    throw new Error(`${name}: expected a file of at least ${least} bytes, got ${fileBytes}: it is cut short`)
  }
  return { name, dtype: dtype as Dtype, shape, begin: origin + from, end: origin + to }
}

function wholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

export function floatBytes(dtype: Float): number {
  return elementBytes[dtype]
}

/** Numbers from their bytes, little-endian. `bytes.length` is `into.length` times the element's. */
export function decode(bytes: Uint8Array, dtype: Float, into: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (dtype === 'F32') {
    for (let i = 0; i < into.length; i++) into[i] = view.getFloat32(4 * i, true)
  } else if (dtype === 'F16') {
    const values = fp16Values()
    for (let i = 0; i < into.length; i++) into[i] = values[view.getUint16(2 * i, true)] as number
  } else {
    for (let i = 0; i < into.length; i++) into[i] = bf16Value(view.getUint16(2 * i, true))
  }
}

/** The bytes of numbers, rounded to the dtype. */
export function encode(data: Float32Array, dtype: Float): Uint8Array {
  const size = elementBytes[dtype]
  const bytes = new Uint8Array(data.length * size)
  const view = new DataView(bytes.buffer)
  data.forEach((value, i) => {
    if (dtype === 'F32') view.setFloat32(4 * i, value, true)
    else view.setUint16(2 * i, dtype === 'F16' ? fp16Bits(value) : bf16Bits(value), true)
  })
  return bytes
}

/** The bytes before the tensors of a file: length and header, padded so that the numbers stand on 8 bytes. */
export function writeHeader(shapes: Readonly<Record<string, Shape>>, dtype: Float): Uint8Array {
  let begin = 0
  const rows = Object.entries(shapes).map(([name, shape]) => {
    const end = begin + elements(shape) * elementBytes[dtype]
    const row = [name, { dtype, shape: [shape.tokens, shape.heads, shape.headDim], data_offsets: [begin, end] }]
    begin = end
    return row
  })
  const text = JSON.stringify(Object.fromEntries(rows))
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8, ' '))
  const bytes = new Uint8Array(prefixBytes + header.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, prefixBytes)
  return bytes
}

/** A whole file in memory. */
export function safetensors(tensors: Readonly<Record<string, Tensor>>, dtype: Float = 'F32'): Uint8Array {
  const parts = [writeHeader(tensors, dtype), ...Object.values(tensors).map(({ data }) => encode(data, dtype))]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
