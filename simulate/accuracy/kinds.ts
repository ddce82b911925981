// Which kind of file a header row is: the first whose columns are all there.
import type { Case, Line } from './case.ts'
import { batchOne, fasterTransformer, serving } from './models.ts'
import * as operators from './operators.ts'

export interface FileKind {
  readonly name: string
  readonly columns: readonly string[]
  read(line: Line): Case | Promise<Case>
}

/** Most particular first. */
export const fileKinds: readonly FileKind[] = [
  {
    name: 'layer operators',
    columns: ['op_class', 'num_tokens', 'hidden', 'ffn', 'latency_us'],
    read: operators.layerOperator,
  },
  { name: 'mixture of experts', columns: ['topk', 'num_experts', 'inter', 'latency_us'], read: operators.experts },
  { name: 'latent attention', columns: ['mla_dtype', 'num_heads', 'step', 'latency_us'], read: operators.latent },
  {
    name: 'encoder attention',
    columns: ['batch', 'seq_len', 'n_heads', 'head_dim', 'latency_us'],
    read: operators.encoderAttention,
  },
  {
    name: 'causal attention',
    columns: ['batch', 'q_len', 'kv_len', 'n_kv_heads', 'latency_us'],
    read: operators.causalAttention,
  },
  { name: 'collectives', columns: ['num_gpus', 'message_elems', 'latency_us'], read: operators.collective },
  { name: 'matrix products', columns: ['m', 'n', 'k', 'latency_us'], read: operators.gemm },
  { name: 'single operators', columns: ['op', 'm', 'n', 'k', 'value', 'unit', 'note'], read: operators.singleOperator },
  { name: 'serving', columns: ['model_path', 'isl', 'osl', 'silicon_tpot_ms'], read: serving },
  { name: 'whole models', columns: ['model', 'section', 'seq_len', 'column', 'value'], read: fasterTransformer },
  { name: 'batch-1 decode', columns: ['n_gpus', 'engine', 'model', 'dtype', 'value'], read: batchOne },
]

/** The kind of a file by its header, or undefined. */
export function fileKind(header: readonly string[]): FileKind | undefined {
  return fileKinds.find((k) => k.columns.every((c) => header.includes(c)))
}
