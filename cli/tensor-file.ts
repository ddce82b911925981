// Tensors of a cache in a safetensors file, read in the blocks that are asked for: the file may be larger than the
// memory.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { decode, type Float, floatBytes, headerBytes, parseHeader, prefixBytes } from '../model/tensor/safetensors.ts'
import {
  checkShapes,
  type FileLayer,
  type KvSource,
  type LayerSource,
  layersOf,
  type Placed,
} from '../model/tensor/source.ts'
import { type Range, type Tensor, tensor, width } from '../model/tensor/tensor.ts'
import { FileError, fileReason, UsageError } from './errors.ts'

/** Bytes read from the disk at once. */
const chunk = 2 ** 24

export interface TensorFile extends KvSource {
  /** Tensors that are no part of a layer's cache. */
  readonly ignored: readonly string[]
  close(): void
}

/** The layers of a file, their shapes checked. The file stays open until `close`. Throws UsageError, FileError. */
export function openTensorFile(path: string): TensorFile {
  const fd = opened(path)
  try {
    const { layers, ignored } = layersOf(entries(fd, fstatSync(fd).size))
    const first = layers[0]?.parts.key?.dtype ?? 'F32'
    return {
      name: path,
      elementBytes: floatBytes(first),
      layers: layers.map((of) => fileLayer(path, fd, of)),
      ignored,
      close: () => closeSync(fd),
    }
  } catch (error) {
    closeSync(fd)
    throw new FileError(`${path}: ${(error as Error).message}`)
  }
}

function opened(path: string): number {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new UsageError(`${path}: no such file`)
    throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
  }
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw new UsageError(`${path}: expected a safetensors file, got something else`)
}

function entries(fd: number, size: number) {
  const first = bytesAt(fd, 0, Math.min(prefixBytes, size))
  const length = headerBytes(first, size)
  const header = bytesAt(fd, prefixBytes, length)
  return parseHeader(utf8(header), length, size)
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Error('expected a safetensors header in UTF-8, got other bytes')
  }
}

function fileLayer(path: string, fd: number, { layer, parts }: FileLayer): LayerSource {
  const shapes = checkShapes(layer, parts)
  return {
    ...shapes,
    read(part, tokens, heads) {
      const placed = parts[part]
      if (placed === undefined) throw new RangeError(`layers.${layer}: it has no ${part}`)
      try {
        return readBlock(fd, placed, tokens ?? [0, placed.tokens], heads ?? [0, placed.heads])
      } catch (error) {
        throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
      }
    },
  }
}

/** Some tokens' heads. Whole tokens lie together; of others only the heads' share of each is decoded. */
function readBlock(fd: number, placed: Placed, [from, to]: Range, heads: Range): Tensor {
  const { dtype, headDim, begin } = placed
  const size = floatBytes(dtype)
  const out = tensor({ tokens: to - from, heads: heads[1] - heads[0], headDim })
  const [row, outRow] = [width(placed), width(out)]
  const step = Math.max(1, Math.floor(chunk / (row * size)))
  for (let t = from; t < to; t += step) {
    const end = Math.min(to, t + step)
    const bytes = bytesAt(fd, begin + t * row * size, (end - t) * row * size)
    const into = (a: number, b: number) => out.data.subarray((a - from) * outRow, (b - from) * outRow)
    if (outRow === row) decode(bytes, dtype, into(t, end))
    else decodeRows(bytes, dtype, { row, skip: heads[0] * headDim, take: outRow }, into(t, end))
  }
  return out
}

interface Columns {
  readonly row: number
  readonly skip: number
  readonly take: number
}

function decodeRows(bytes: Uint8Array, dtype: Float, { row, skip, take }: Columns, into: Float32Array): void {
  const size = floatBytes(dtype)
  for (let i = 0; i * take < into.length; i++) {
    const at = (i * row + skip) * size
    decode(bytes.subarray(at, at + take * size), dtype, into.subarray(i * take, (i + 1) * take))
  }
}

function bytesAt(fd: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  while (at < length) {
    const read = readSync(fd, bytes, at, length - at, position + at)
    if (read === 0) throw new Error('it became shorter while it was read')
    at += read
  }
  return bytes
}
