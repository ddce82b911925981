// The repository's inference GFLOPs: matrix FLOPs of the stack, two per multiply and add, without embeddings and head,
// causal masks saving nothing. That is what the operators of an unfused pass sum to.

import type { Architecture } from '../../../model/architecture.ts'
import { type Row, row } from '../row.ts'
import { decoder, encoder, encoderDecoder, encoding, prompting, type Run } from './models.ts'
import { readme } from './published.ts'

type Name = keyof typeof readme.models

const recalled = "the model's sizes are recalled, not read from a source here"
const printed = 'two digits are printed; within 3 % is taken as the same figure'

const encoders: Partial<Record<Name, Architecture>> = {
  'bert-large': encoder('bert-large', { layers: 24, width: 1024, heads: 16 }),
  'albert-xxlarge': encoder('albert-xxlarge', { layers: 12, width: 4096, heads: 64 }),
  'electra-large': encoder('electra-large', { layers: 24, width: 1024, heads: 16 }),
}

const decoders: Partial<Record<Name, Architecture>> = {
  'gpt-1': decoder('gpt-1', { layers: 12, width: 768, heads: 12 }),
  'gpt-2-xl': decoder('gpt-2-xl', { layers: 48, width: 1600, heads: 25 }),
  'megatron-8.3b': decoder('megatron-8.3b', { layers: 72, width: 3072, heads: 24 }),
  't-nlg': decoder('t-nlg', { layers: 78, width: 4256, heads: 28 }),
  'gpt-3': decoder('gpt-3', { layers: 96, width: 12288, heads: 96 }),
}

const transformer = encoderDecoder('transformer', { layers: 6, width: 512, heads: 8 })

/** The passes that one inference takes; none where the row is not the model's. */
function runs(name: Name, length: number): Run[] {
  if (name === 'transformer') return [encoding(transformer, length), prompting(transformer, length, length)]
  const { [name]: bidirectional } = encoders
  if (bidirectional !== undefined) return [encoding(bidirectional, length)]
  const { [name]: causal } = decoders
  return causal === undefined ? [] : [prompting(causal, length)]
}

/** FLOPs of the matrix products, as our own operators count them. */
export function matrixFlops(passes: readonly Run[]): number {
  return passes.flatMap((run) => run.pass.map((o) => o.matrix * o.count * run.times)).reduce((a, b) => a + b, 0)
}

const notes: Partial<Record<Name, string>> = {
  'bert-large': printed,
  transformer:
    'which of the two sizes and which passes the row means was not checked: ours is the base model, encoder and decoder at 512 tokens',
  'roberta-large': "the row repeats GPT-2's parameters and GFLOPs: a copying error in the table",
}

export function readmeRows(): Row[] {
  return (Object.keys(readme.models) as Name[]).map((name) => {
    const { length, gflops } = readme.models[name]
    const passes = runs(name, length)
    return row(readme, {
      item: `${name}/${length}/inference-flops`,
      published: `${gflops}e9`,
      computed: passes.length === 0 ? null : matrixFlops(passes),
      tolerance: 0.03 * Number(gflops) * 1e9,
      ...(name === 'transformer' && { recalled: true }),
      why: notes[name] ?? `${printed}; ${recalled}`,
    })
  })
}
