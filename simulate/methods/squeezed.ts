// Squeezed Attention as a choice of which keys of a document are read.
import { devices } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { clusteringWork, type Squeezed, squeezedSelection } from '../../model/selections/squeezed.ts'
import type { Method, Values } from '../method.ts'
import type { Resolved } from '../query.ts'

/** k-means iterations that the paper's 24 minutes for 128k tokens of a 7B model are, at an A100's fp32 peak. */
const iterations = 125

/** What the published budget of the hierarchy, 0.122, implies. */
const impliedSurvive = 0.68

export const squeezed: Method = {
  name: 'squeezed',
  means: "a document's keys are clustered beforehand; each pass attends only keys of the clusters that matter to it",
  source: 'Squeezed Attention, arXiv 2411.09688',
  document: true,
  options: [
    { name: 'sparsity', means: 'share of the clustered keys that are not read', least: 0, below: 1 },
    { name: 'clusters', means: 'centroids per clustered key', least: 0, most: 1, default: 0.05 },
    {
      name: 'coarse',
      means: 'centroids of a first level per clustered key; 0: one level',
      least: 0,
      most: 1,
      default: 0,
    },
    {
      name: 'survive',
      means: 'share of the centroids that the first level leaves',
      least: 0,
      most: 1,
      default: impliedSurvive,
    },
    { name: 'window', means: 'last tokens of the document that are always read', least: 0, whole: true, default: 100 },
    { name: 'index', means: 'bits of a label and an index: 64 as released', choices: [64, 32, 16], default: 32 },
    { name: 'passes', means: 'times a lookup reads its centroids: 2 as released', choices: [2, 1], default: 2 },
  ],
  apply: (options, values) => ({
    ...options,
    selections: [...(options.selections ?? []), squeezedSelection(squeezedOf(values))],
  }),
  warnings: (r, values) => {
    const s = squeezedOf(values)
    const warnings: string[] = []
    const groups = r.workload.groups
    const longest = Math.max(0, ...groups.flatMap((g) => g.past.map((p) => (p.fixed ? p.tokens : 0))))
    if (longest === 0) warnings.push('squeezed: no document is cached before this pass, so nothing is chosen from')
    else if (s.clusters > 0 && Math.floor(s.clusters * (longest - s.window)) < 1) {
      warnings.push(`squeezed: a document of ${longest} tokens makes no cluster, so all of it is read`)
    }
    if (s.coarse === 0 && s.survive !== impliedSurvive) {
      warnings.push('squeezed: survive is of a first level; without coarse it changes nothing')
    }
    if (groups.some((g) => g.past.some((p) => p.fixed && p.sharers > 1)) && s.clusters > 0) {
      warnings.push(
        'squeezed: every sequence gathers its own keys of the shared document, which dense attention reads once',
      )
    }
    return warnings
  },
  prepare: (r, values) => clustering(r, squeezedOf(values)),
}

function squeezedOf(values: Values): Squeezed {
  const s = values as unknown as Squeezed
  if (s.clusters === 0 && s.sparsity > 0) {
    throw new RangeError(
      `with squeezed: expected clusters above 0 to choose by, or sparsity 0, got sparsity ${s.sparsity}`,
    )
  }
  if (s.coarse > 0 && s.coarse >= s.clusters) {
    throw new RangeError(`with squeezed: expected coarse below clusters (${s.clusters}), got ${s.coarse}`)
  }
  return s
}

/** k-means of every head's keys of one document, in fp32 as released. */
function clustering(r: Resolved, s: Squeezed): ReturnType<NonNullable<Method['prepare']>> {
  const document = r.workload.groups.flatMap((g) => g.past).find((p) => p.fixed)
  if (!document || s.clusters === 0) return undefined
  const keys = Math.max(0, document.tokens - s.window)
  const operators: Operator[] = []
  for (const stack of r.deployment.architecture.stacks) {
    for (const group of stack.groups) {
      for (const m of group.modules) {
        if (m.kind !== 'attention' || !m.causal || m.reach.kind !== 'full' || m.source) continue
        const heads = m.kvHeads / Math.min(m.kvHeads, r.deployment.parallel.tensor)
        const { flops, bytes } = clusteringWork(keys, s, heads, m.headDim)
        if (flops === 0) continue
        operators.push({
          name: 'k-means',
          layers: '',
          count: group.layers.length * iterations,
          launches: 2,
          shape: { kind: 'gemm', m: keys, n: Math.floor(s.clusters * keys), k: m.headDim, matrices: heads },
          matrix: flops,
          vector: 0,
          unit: format('fp32').unit,
          streams: [{ owner: 'activations', way: 'read', bytes, metadata: 0 }],
        })
      }
    }
  }
  if (operators.length === 0) return undefined
  const each = devices(r.deployment) > 1 ? ' on each device' : ''
  return {
    name: 'clustering',
    operators,
    note: `once per document${each}, ${iterations} iterations of k-means in fp32`,
  }
}
