// The folder of measurements as rows to fit: read once, in the files' order, so that equal files give equal fits.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadMachine } from '../../hardware/catalog.ts'
import type { AttentionRow } from '../../hardware/fit/attention.ts'
import type { CollectiveRow } from '../../hardware/fit/collective.ts'
import { hash } from '../../hardware/fit/errors.ts'
import type { GemmRow } from '../../hardware/fit/gemm.ts'
import type { PlainRow } from '../../hardware/fit/plain.ts'
import { gemmFacts } from '../../hardware/gemm-time.ts'
import type { Machine } from '../../hardware/machine.ts'
import { linkFor, wireBytes } from '../../hardware/time.ts'
import type { Unit } from '../../model/format.ts'
import { BadField, type Line, measured } from '../../simulate/accuracy/case.ts'
import { csvRows } from '../csv.ts'
import { FileError, UsageError } from '../errors.ts'

export interface Row {
  /** `file:line`. */
  readonly at: string
  readonly fields: Line
}

/** What is read of the folder; only those marked are needed to fit. */
export const files = {
  gemm_bf16: 'fitted',
  gemm_lowp: 'fitted',
  attention_decode: 'fitted',
  attention_prefill: 'fitted',
  attention_encoder: 'fitted',
  collectives: 'fitted',
  layer_ops: 'fitted',
  moe: 'scored',
  mla: 'scored',
  operators_a100: 'scored',
  decode_batch1: 'scored',
  whole_model_latency: 'scored',
  vit_inference: 'scored',
  serving: 'scored',
  llamacpp_strix_halo: 'scored',
} as const
export type FileName = keyof typeof files

export interface LayerRow extends GemmRow {
  readonly model: string
  /** Tokens and ranks: the GEMMs of one layer share them. */
  readonly layer: string
}

export interface ModelPlainRow extends PlainRow {
  readonly model: string
}

export interface Data {
  readonly rows: Readonly<Record<FileName, readonly Row[]>>
  readonly machines: ReadonlyMap<string, Machine>
  readonly gemm: readonly GemmRow[]
  /** Of n or k under 512: never fitted. */
  readonly gemmSmall: readonly GemmRow[]
  readonly fp8: readonly GemmRow[]
  readonly attention: readonly AttentionRow[]
  readonly collectives: readonly CollectiveRow[]
  readonly layers: readonly LayerRow[]
  readonly plain: readonly ModelPlainRow[]
  /** SHA-256 by file. */
  readonly hashes: Readonly<Record<string, string>>
  /** Day of the newest file. */
  readonly date: string
}

const micro = 1e-6
const least = 512

export async function readData(folder: string): Promise<Data> {
  const names = Object.keys(files) as FileName[]
  const missing = names.filter((n) => files[n] === 'fitted' && !existsSync(join(folder, `${n}.csv`)))
  if (missing.length > 0) throw new UsageError(`${folder}: expected ${missing.map((n) => `${n}.csv`).join(', ')} in it`)
  const rows = {} as Record<FileName, readonly Row[]>
  const lines = {} as Record<FileName, readonly Line[]>
  const hashes: Record<string, string> = {}
  let newest = 0
  for (const name of names) {
    const path = join(folder, `${name}.csv`)
    rows[name] = existsSync(path) ? await rowsOf(path, files[name] === 'fitted') : []
    lines[name] = rows[name].map(({ fields }) => fields)
    if (!existsSync(path)) continue
    hashes[`${name}.csv`] = createHash('sha256').update(readFileSync(path)).digest('hex')
    newest = Math.max(newest, statSync(path).mtimeMs)
  }
  const machines = await machinesOf(names.filter((n) => files[n] === 'fitted').flatMap((n) => lines[n]))
  const products = gemmRows(lines.gemm_bf16, machines, 'bf16', 2)
  return {
    rows,
    machines,
    gemm: products.filter(({ n, k }) => n >= least && k >= least),
    gemmSmall: products.filter(({ n, k }) => n < least || k < least),
    fp8: gemmRows(
      lines.gemm_lowp.filter((l) => l.dtype === 'fp8'),
      machines,
      'fp8',
      1,
    ),
    attention: [
      ...causalRows(lines.attention_decode, machines),
      ...causalRows(lines.attention_prefill, machines),
      ...encoderRows(lines.attention_encoder, machines),
    ],
    collectives: collectiveRows(lines.collectives, machines),
    layers: layerRows(lines.layer_ops, machines),
    plain: plainRows(lines.layer_ops, machines),
    hashes,
    date: new Date(newest).toISOString().slice(0, 10),
  }
}

/** Columns that fits read as numbers, where a row states them. */
const numbers = (
  'm n k num_tokens batch q_len kv_len seq_len n_heads n_kv_heads head_dim window num_gpus message_elems ' +
  'hidden ffn tp'
).split(' ')

/** The rows of a file. Throws FileError where it has none, or where one of a file to fit is not a measurement. */
async function rowsOf(path: string, fitted: boolean): Promise<Row[]> {
  const rows: Row[] = []
  for await (const { line, fields } of csvRows(path)) {
    const at = `${path}:${line}`
    if (fitted) checkFitted(fields, at)
    rows.push({ at, fields })
  }
  if (rows.length === 0) throw new FileError(`${path}: expected measurements below the header, got none`)
  return rows
}

function checkFitted(fields: Line, at: string): void {
  try {
    measured(fields, 'latency_us')
  } catch (error) {
    throw error instanceof BadField ? new FileError(`${at}: ${error.message}`) : error
  }
  const bad = numbers.find((column) => !Number.isFinite(Number(fields[column] ?? 0)))
  if (bad !== undefined) throw new FileError(`${at}: ${bad}: expected a number, got '${fields[bad]}'`)
}

/** By the files' own spellings. */
async function machinesOf(lines: readonly Line[]): Promise<Map<string, Machine>> {
  const machines = new Map<string, Machine>()
  for (const { hardware = '' } of lines)
    if (!machines.has(hardware)) machines.set(hardware, await loadMachine(hardware))
  return machines
}

function known(machines: ReadonlyMap<string, Machine>, { hardware = '' }: Line): Machine {
  const machine = machines.get(hardware)
  if (!machine) throw new UsageError(`hardware: '${hardware}' is not known`)
  return machine
}

/** Facts are compared by identity, so that a fit multiplies them out once. */
function gemmRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>, unit: Unit, element: number) {
  const facts = new Map([...machines].map(([name, machine]) => [name, gemmFacts(machine, unit)]))
  return lines.flatMap((l): GemmRow[] => {
    const of = facts.get(l.hardware ?? '')
    if (!of) return []
    const [m, n, k] = [Number(l.m ?? l.num_tokens), Number(l.n), Number(l.k)]
    return [
      {
        machine: l.hardware ?? '',
        facts: of,
        m,
        n,
        k,
        matrices: 1,
        weights: element * n * k,
        activation: element,
        measured: Number(l.latency_us) * micro,
      },
    ]
  })
}

/** vLLM's rows, but for FlashAttention 4, whose kernels are others; short prefills are launches. */
function isFitted({ framework, kernel = '', latency_us }: Line, shortest: number): boolean {
  return framework === 'vllm' && !kernel.includes('fa4') && Number(latency_us) > shortest
}

function causalRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>): AttentionRow[] {
  const decodes = (l: Line) => l.op === 'attention_decode'
  return lines
    .filter((l) => isFitted(l, decodes(l) ? 0 : 50))
    .map((l) => ({
      kind: decodes(l) ? 'decode' : 'prefill',
      machine: known(machines, l) && (l.hardware ?? ''),
      sequences: Number(l.batch),
      query: Number(l.q_len),
      kv: Number(l.kv_len),
      heads: Number(l.n_heads),
      kvHeads: Number(l.n_kv_heads),
      headDim: Number(l.head_dim),
      ...(Number(l.window) > 0 && { window: Number(l.window) }),
      element: l.kv_dtype === 'fp8' ? 1 : 2,
      ...(decodes(l) && { cold: l.kv_cold === '1' }),
      seconds: Number(l.latency_us) * micro,
    }))
}

function encoderRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>): AttentionRow[] {
  return lines
    .filter((l) => isFitted(l, 50))
    .map((l) => ({
      kind: 'encoder',
      machine: known(machines, l) && (l.hardware ?? ''),
      sequences: Number(l.batch),
      query: Number(l.seq_len),
      kv: Number(l.seq_len),
      heads: Number(l.n_heads),
      kvHeads: Number(l.n_heads),
      headDim: Number(l.head_dim),
      element: 2,
      seconds: Number(l.latency_us) * micro,
    }))
}

/** NCCL's all-reduces, in an order in which neighbours are unlike. */
function collectiveRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>): CollectiveRow[] {
  const chosen = lines.filter((l) => l.library === 'nccl' && l.op === 'all_reduce')
  const keyed = chosen.map((l) => ({ l, key: hash(JSON.stringify(l)) }))
  keyed.sort((a, b) => a.key - b.key)
  return keyed.map(({ l }) => {
    const machine = known(machines, l)
    const devices = Number(l.num_gpus)
    const link = linkFor(machine, devices)
    const bytes = Number(l.message_elems) * (l.dtype === 'int8' ? 1 : 2)
    return {
      machine: l.hardware ?? '',
      devices,
      wire: wireBytes({ kind: 'collective', type: 'all-reduce', devices, message: bytes }),
      bandwidth: link.bandwidth,
      shared: link === machine.links.host,
      seconds: Number(l.latency_us) * micro,
    }
  })
}

function layerRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>): LayerRow[] {
  const chosen = lines.filter((l) => l.op_class === 'gemm')
  return gemmRows(chosen, machines, 'fp16', 2).map((row, i) => {
    const { hardware, model = '', num_tokens, tp } = chosen[i] as Line
    return { ...row, model, layer: `${hardware} ${model} ${num_tokens} ${tp}` }
  })
}

/** Elements moved per token by element-wise kernels whose width the file gives. */
function elementsMoved({ op, hidden, ffn, tp, model = '' }: Line): number | undefined {
  const inner = Number(ffn) / Number(tp)
  switch (op) {
    case 'input_layernorm':
    case 'post_attention_layernorm':
    case 'emb':
      return 2 * Number(hidden)
    case 'add':
      return 3 * Number(hidden)
    case 'mlp_act':
      return (model.includes('phi') ? 2 : 3) * inner
    default:
      return undefined
  }
}

function plainRows(lines: readonly Line[], machines: ReadonlyMap<string, Machine>): ModelPlainRow[] {
  return lines.flatMap((l): ModelPlainRow[] => {
    const elements = l.op_class === 'elementwise' ? elementsMoved(l) : undefined
    if (elements === undefined) return []
    const { memory, units } = known(machines, l)
    return [
      {
        machine: l.hardware ?? '',
        model: l.model ?? '',
        bytes: 2 * elements * Number(l.num_tokens),
        bandwidth: memory.bandwidth,
        clock: units.clock ?? 1.5e9,
        seconds: Number(l.latency_us) * micro,
      },
    ]
  })
}
