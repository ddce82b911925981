// Squeezed Attention on threads, over singles: the launches of its stages.
import type { Launch, Plan, Tensor } from '../kernel.ts'
import { partsTensor } from './split-attention.ts'
import {
  centroidsOf,
  chosenOf,
  groupOf,
  lookupChunk,
  markWords,
  rowsAll,
  type Squeezed,
  splitsOf,
} from './squeezed-data.ts'

const word = (x: number) => new Int32Array(Float32Array.of(x).buffer)[0] as number
const scaleOf = (s: Squeezed) => word(Math.LOG2E / Math.sqrt(s['head-dim']))

/** Centroids whose marks a piece makes, keys that it goes through, keys that it attends, keys whose scores it holds. */
const markBlock = 256
const selectBlock = 2048
const chunk = 128
const scored = 64

export function lookupThreads(s: Squeezed): Launch {
  return {
    source: 'compare',
    buffers: ['q', 'centroids', 'members', 'scores', 'denominators'],
    groups: [s['kv-heads'] * splitsOf(s), 1, 1],
    args: [s['head-dim'], centroidsOf(s), groupOf(s), splitsOf(s), lookupChunk, scaleOf(s)],
  }
}

function markLaunches(s: Squeezed): Launch[] {
  return [
    { source: 'wholeOf', buffers: ['denominators', 'wholes'], groups: [rowsAll(s), 1, 1], args: [splitsOf(s)] },
    {
      source: 'markShares',
      buffers: ['scores', 'wholes', 'marks', 'counts'],
      groups: [s['kv-heads'] * Math.ceil(centroidsOf(s) / markBlock), 1, 1],
      args: [centroidsOf(s), groupOf(s), markWords(s), word(chosenOf(s).threshold)],
    },
  ]
}

const selectPieces = (s: Squeezed) => s['kv-heads'] * Math.ceil(s.tokens / selectBlock)

/** What a piece keeps before it knows where it goes. */
const keptTensor = (s: Squeezed): Tensor => ({
  name: 'kept',
  elements: selectPieces(s) * selectBlock,
  type: 'u32',
  use: 'scratch',
})

function selectLaunch(s: Squeezed): Launch {
  return {
    source: 'select',
    buffers: ['labels', 'marks', 'counts', 'indices', 'kept'],
    groups: [selectPieces(s), 1, 1],
    args: [s.tokens, markWords(s), selectBlock],
  }
}

export function selectThreads(s: Squeezed): Plan {
  const clear: Launch = { source: 'clearCount', buffers: ['counts'], groups: [s['kv-heads'], 1, 1] }
  return { variant: '', scratch: [keptTensor(s)], launches: [clear, selectLaunch(s)] }
}

/** The whole step; `scratch` are the tensors that its stages leave each other. */
export function attendThreads(s: Squeezed, scratch: readonly Tensor[]): Plan {
  const dim = s['head-dim']
  const rows = groupOf(s)
  const splits = Math.ceil(s.tokens / chunk)
  const pieces = s['kv-heads'] * splits
  return {
    variant: `chunk=${chunk}`,
    scratch: [
      ...scratch,
      keptTensor(s),
      { name: 'wholes', elements: 2 * rowsAll(s), type: 'fp32', use: 'scratch' },
      { name: 'held', elements: pieces * scored, type: 'fp32', use: 'scratch' },
      partsTensor({ outputs: rowsAll(s), splits, dim, bits: s.bits }),
    ],
    launches: [
      lookupThreads(s),
      ...markLaunches(s),
      selectLaunch(s),
      {
        source: 'attendListed',
        buffers: ['q', 'k', 'v', 'parts', 'held', 'indices', 'counts'],
        groups: [pieces, 1, 1],
        args: [dim, s.tokens, rows, splits, chunk, scaleOf(s)],
      },
      {
        source: 'mergeListed',
        buffers: ['parts', 'output', 'counts'],
        groups: [rowsAll(s), 1, 1],
        args: [dim, splits, rows, chunk],
      },
    ],
  }
}
