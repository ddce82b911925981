// Tiny architectures whose every multiply and byte can be counted by hand.
import { type Architecture, type Attention, groupLayers, type Module } from '../../model/architecture.ts'

export const noBias = { query: false, key: false, value: false, output: false }

export function attention(more: Partial<Attention> = {}): Attention {
  return {
    kind: 'attention',
    name: 'attention',
    width: 8,
    heads: 4,
    kvHeads: 2,
    headDim: 3,
    causal: true,
    reach: { kind: 'full' },
    bias: noBias,
    rotary: 0,
    fused: true,
    ...more,
  }
}

export function architecture(layers: readonly (readonly Module[])[], more: Partial<Architecture> = {}): Architecture {
  return {
    name: 'tiny',
    type: 'tiny',
    kind: 'decoder',
    dtype: 'fp16',
    formats: {},
    stacks: [{ name: 'decoder', width: 8, input: [], groups: groupLayers(layers), output: [] }],
    reading: { used: [], ignored: [], assumed: [] },
    ...more,
  }
}
