// Which kind of file a header row is: the first kind whose columns are all there.
import { causalAttention, encoderAttention, latentAttention } from './attention.ts'
import type { Case, Line } from './case.ts'
import { collective } from './collectives.ts'
import { fasterTransformer, vision } from './encoders.ts'
import { experts } from './experts.ts'
import { layerOperator, singleOperator } from './kernels.ts'
import { batchOne, llamaCpp, ollama } from './local.ts'
import { product } from './products.ts'
import { serving, throughput } from './serving.ts'

export interface FileKind {
  readonly name: string
  /** Columns that tell the kind. */
  readonly columns: readonly string[]
  /** The row's case. Throws Unmappable, or BadField where the file is at fault. */
  readonly read: (line: Line) => Case | Promise<Case>
}

/** Most particular first. */
// biome-ignore format: one kind per row
export const fileKinds: readonly FileKind[] = [
  { name: 'layer operators',    columns: ['hardware', 'op_class', 'op', 'num_tokens', 'tp', 'hidden', 'ffn', 'latency_us'], read: layerOperator },
  { name: 'experts',            columns: ['hardware', 'num_tokens', 'hidden', 'inter', 'topk', 'num_experts', 'tp', 'ep', 'latency_us'], read: experts },
  { name: 'latent attention',   columns: ['hardware', 'op', 'mla_dtype', 'kv_cache_dtype', 'num_heads', 'batch_size', 'isl', 'step', 'latency_us'], read: latentAttention },
  { name: 'causal attention',   columns: ['hardware', 'op', 'kv_dtype', 'batch', 'q_len', 'kv_len', 'n_heads', 'n_kv_heads', 'head_dim', 'latency_us'], read: causalAttention },
  { name: 'encoder attention',  columns: ['hardware', 'dtype', 'batch', 'seq_len', 'n_heads', 'head_dim', 'latency_us'], read: encoderAttention },
  { name: 'collectives',        columns: ['hardware', 'op', 'dtype', 'num_gpus', 'message_elems', 'latency_us'], read: collective },
  { name: 'matrix products',    columns: ['hardware', 'dtype', 'm', 'n', 'k', 'latency_us'], read: product },
  { name: 'single operators',   columns: ['hardware', 'op', 'dtype', 'm', 'n', 'k', 'value', 'unit'], read: singleOperator },
  { name: 'serving',            columns: ['model_path', 'system', 'precision', 'isl', 'osl', 'batch_size', 'tp_size', 'silicon_tpot_ms'], read: serving },
  { name: 'whole models',       columns: ['model', 'hardware', 'section', 'batch', 'seq_len', 'precision', 'column', 'value'], read: fasterTransformer },
  { name: 'vision',             columns: ['hardware', 'model', 'img', 'batch', 'step_ms'], read: vision },
  { name: 'batch-1 decode',     columns: ['hardware', 'n_gpus', 'engine', 'model', 'dtype', 'batch', 'value'], read: batchOne },
  { name: 'llama.cpp',          columns: ['hardware', 'model_dir', 'model_bytes', 'n_params', 'n_prompt', 'n_gen', 'value_tok_s'], read: llamaCpp },
  { name: 'ollama',             columns: ['hardware', 'device', 'model', 'value', 'power_peak'], read: ollama },
  { name: 'maximum throughput', columns: ['hardware', 'tp', 'model', 'isl', 'osl', 'value'], read: throughput },
]

/** The kind of a file by its header, or undefined. */
export function fileKind(header: readonly string[]): FileKind | undefined {
  return fileKinds.find((kind) => kind.columns.every((column) => header.includes(column)))
}
