// The networks of the case study and of the repository's table, as small configs, and their passes without what the
// paper leaves out: embeddings, pooler and head. Every projection is its own product, since the paper counts WQ, WK and
// WV one by one, each reading its own input.
import type { Architecture } from '../../../model/architecture.ts'
import { type Deployment, deploy } from '../../../model/deployment.ts'
import { format } from '../../../model/format.ts'
import { importConfig } from '../../../model/import/config.ts'
import type { Operator, Pass } from '../../../model/operator.ts'
import { pass } from '../../../model/pass.ts'
import { decode, encode, prefill, type Workload } from '../../../model/workload.ts'

interface Size {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly hidden?: number
}

const vocabulary = 30522

/** An encoder-only stack, as BERT's config describes one. */
export function encoder(name: string, { layers, width, heads, hidden = 4 * width }: Size): Architecture {
  const config = {
    model_type: 'bert',
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: hidden,
    max_position_embeddings: 512,
    vocab_size: vocabulary,
  }
  return separateProjections(importConfig(config, name))
}

/** A decoder-only stack, as GPT-2's config describes one. */
export function decoder(name: string, { layers, width, heads, hidden = 4 * width }: Size): Architecture {
  const config = {
    model_type: 'gpt2',
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_inner: hidden,
    n_positions: 1024,
    vocab_size: vocabulary,
  }
  return separateProjections(importConfig(config, name))
}

/** An encoder and a decoder of the first transformer's shapes, in the words of T5's config. */
export function encoderDecoder(name: string, { layers, width, heads, hidden = 4 * width }: Size): Architecture {
  const config = {
    model_type: 't5',
    d_model: width,
    d_kv: width / heads,
    d_ff: hidden,
    num_layers: layers,
    num_heads: heads,
    vocab_size: vocabulary,
    feed_forward_proj: 'relu',
  }
  return importConfig(config, name)
}

/** The paper's copy of an architecture: WQ, WK and WV as three products. */
function separateProjections(architecture: Architecture): Architecture {
  const stacks = architecture.stacks.map((stack) => ({
    ...stack,
    groups: stack.groups.map((group) => ({
      ...group,
      modules: group.modules.map((m) => (m.kind === 'attention' ? { ...m, fused: false } : m)),
    })),
  }))
  return { ...architecture, stacks }
}

/** Sizes: arXiv 2302.14017, Table 1. */
export const caseStudy = {
  'bert-base': encoder('bert-base', { layers: 12, width: 768, heads: 12 }),
  'bert-large': encoder('bert-large', { layers: 24, width: 1024, heads: 16 }),
  gpt2: decoder('gpt2', { layers: 12, width: 768, heads: 12 }),
} as const
export type Model = keyof typeof caseStudy
export const models = Object.keys(caseStudy) as Model[]

/** Lengths of Figures 4 to 6, 9 and 32. */
export const lengths = [128, 256, 512, 1024, 2048, 4096] as const
export type Length = (typeof lengths)[number]

/** Kernel by kernel, scores through memory, in fp32. What a paper counts of it is a convention's matter. */
export function unfused(architecture: Architecture): Deployment {
  return deploy(architecture, { fusion: 'unfused', activations: format('fp32') })
}

/** The operators of the layers; what stands before and after them is outside the paper's model. */
export function layersOf(deployment: Deployment, workload: Workload): Pass {
  return pass(deployment, workload).filter((o: Operator) => o.layers !== '')
}

/** A pass that runs a number of times. */
export interface Run {
  readonly pass: Pass
  readonly times: number
}

/** One encoder pass over `length` tokens. */
export function encoding(architecture: Architecture, length: number): Run {
  return { pass: layersOf(unfused(architecture), encode(1, length)), times: 1 }
}

/** One pass over a prompt of `length` tokens, which reads `source` tokens of an encoder where there is one. */
export function prompting(architecture: Architecture, length: number, source?: number): Run {
  return { pass: layersOf(unfused(architecture), prefill(1, length, 0, source)), times: 1 }
}

/**
 * `length` tokens generated one by one from nothing, as the paper counts them: `length` steps that each see length / 2
 * tokens, the new one included. The exact mean is (length + 1) / 2, and does not give the paper's figures.
 */
export function generation(architecture: Architecture, length: number): Run {
  return { pass: layersOf(unfused(architecture), decode(1, length / 2 - 1)), times: length }
}

/** What the paper runs a model of the case study for: one pass of an encoder, all steps of a decoder. */
export function runOf(model: Model, length: number): Run {
  const architecture = caseStudy[model]
  return architecture.kind === 'encoder' ? encoding(architecture, length) : generation(architecture, length)
}
