// One step of a tree (ETS, arXiv 2502.13575): leaves that share a prefix and have tokens of their own. The prefix is read
// once for all leaves, whose queries are the rows of a tile; each leaf's own tokens are attended apart, and the parts are
// merged. Beside it the same leaves over the same pages, where each reads the prefix by itself.
import type { Random } from '../../model/random.ts'
import { tree } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Launch, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { lanesOf, spread } from '../webgpu/wgsl.ts'
import {
  type Attended,
  attendSource,
  attentionModule,
  type Cut,
  decodeSizes,
  fillK,
  fillQ,
  fillV,
  fitted,
} from './attention-decode.ts'
import { attended, attentionTolerance, plainRows } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import { mergeLaunch, type Parts, partsTensor, splitsOf } from './split-attention.ts'
import { fitsTiles, type Tiled, tiledGroups, tiledSource, tileRows } from './tile-attention.ts'

interface Tree extends Record<string, number> {
  trees: number
  leaves: number
  heads: number
  'kv-heads': number
  'head-dim': number
  prefix: number
  own: number
}

const bits = 16
const fillOwnK = { ...fillK, seed: 92 } as const
const fillOwnV = { ...fillV, seed: 93 } as const

const groupOf = (s: Tree) => s.heads / s['kv-heads']
const leafUnits = (s: Tree) => s.trees * s.leaves * s['kv-heads']

/** Splits of the prefix and of a leaf's own tokens, which are the first and the last parts of every row. */
interface Split {
  readonly splits: number
  readonly chunk: number
}

function partsOf(s: Tree, prefix: Split, own: Split): Parts {
  const outputs = s.trees * s.leaves * s.heads
  return { outputs, splits: prefix.splits + own.splits, dim: s['head-dim'], bits }
}

const common = (s: Tree) => ({ dim: s['head-dim'], bits, firstUnit: 0 })

/** Each leaf over keys of its own, or over those of its tree. */
function byLeaf(s: Tree, of: 'prefix' | 'own', split: Split, parts: Parts, cut: Cut): Launch {
  const kvHeads = s['kv-heads']
  const units = leafUnits(s)
  const group = groupOf(s)
  const d: Attended = {
    ...common(s),
    ...split,
    rows: group,
    units,
    tokens: s[of],
    output: (row) => `unit * ${group}u + ${row}`,
    keys:
      of === 'own'
        ? `unit * ${s.own}u`
        : `(unit / ${s.leaves * kvHeads}u * ${kvHeads}u + unit % ${kvHeads}u) * ${s.prefix}u`,
    parts: parts.splits,
    firstPart: of === 'own' ? parts.splits - split.splits : 0,
  }
  return {
    source: attendSource(d, cut),
    buffers: of === 'own' ? ['q', 'own_k', 'own_v', 'parts'] : ['q', 'k', 'v', 'parts'],
    groups: spread(units * split.splits * Math.ceil(group / cut.rows)),
  }
}

/** The number of a row of a tree's unit: leaf, then head in its group. */
function treeRow(s: Tree): (row: string) => string {
  const group = groupOf(s)
  const kvHeads = s['kv-heads']
  return (row) =>
    `((unit / ${kvHeads}u * ${s.leaves}u + (${row}) / ${group}u) * ${kvHeads}u + unit % ${kvHeads}u) * ${group}u + (${row}) % ${group}u`
}

/** All leaves over their tree's prefix, in tiles. */
function inTiles(s: Tree, split: Split, parts: Parts, facts: Facts): Launch {
  const t: Tiled = {
    ...common(s),
    ...split,
    lanes: lanesOf(facts),
    units: s.trees * s['kv-heads'],
    rows: s.leaves * groupOf(s),
    keys: s.prefix,
    output: treeRow(s),
    first: `unit * ${s.prefix}u`,
    parts: parts.splits,
  }
  return { source: tiledSource(t), buffers: ['q', 'k', 'v', 'parts'], groups: tiledGroups(t) }
}

/** All leaves over their tree's prefix, a few rows at a time. */
function inRows(s: Tree, split: Split, parts: Parts, cut: Cut): Launch {
  const units = s.trees * s['kv-heads']
  const rows = s.leaves * groupOf(s)
  const d: Attended = {
    ...common(s),
    ...split,
    rows,
    units,
    tokens: s.prefix,
    output: treeRow(s),
    keys: `unit * ${s.prefix}u`,
    parts: parts.splits,
    firstPart: 0,
  }
  return {
    source: attendSource(d, cut),
    buffers: ['q', 'k', 'v', 'parts'],
    groups: spread(units * split.splits * Math.ceil(rows / cut.rows)),
  }
}

function ownCut(s: Tree, facts: Facts): Cut {
  const cut = { lanes: 16, rows: Math.min(groupOf(s), 4), keys: 4, workgroup: 128, groups: 2112 }
  return fitted(cut, s['head-dim'], facts)
}

function finished(s: Tree, prefix: Split, facts: Facts, launch: (parts: Parts) => Launch, variant: string): Plan {
  const cut = ownCut(s, facts)
  const own = splitsOf(s.own, leafUnits(s), cut.groups, (cut.workgroup / cut.lanes) * cut.keys)
  const parts = partsOf(s, prefix, own)
  return {
    variant: `${variant} splits=${prefix.splits}+${own.splits}`,
    scratch: [partsTensor(parts)],
    launches: [launch(parts), byLeaf(s, 'own', own, parts, cut), mergeLaunch(parts)],
  }
}

const runs = (s: Tree) => s.heads % s['kv-heads'] === 0 && s['head-dim'] % 8 === 0

function sharedPlans(s: Tree, facts: Facts): Plan[] {
  if (!runs(s)) return []
  const units = s.trees * s['kv-heads']
  const rows = s.leaves * groupOf(s)
  const tiled = fitsTiles(s['head-dim'], facts)
    ? [264, 528, 1056].map((groups) => {
        const prefix = splitsOf(s.prefix, units * Math.ceil(rows / tileRows), groups, tileRows)
        return finished(s, prefix, facts, (parts) => inTiles(s, prefix, parts, facts), 'tiles')
      })
    : []
  const cut = fitted(
    { lanes: 16, rows: Math.min(rows, 8), keys: 1, workgroup: 128, groups: 2112 },
    s['head-dim'],
    facts,
  )
  const prefix = splitsOf(
    s.prefix,
    units * Math.ceil(rows / cut.rows),
    cut.groups,
    (cut.workgroup / cut.lanes) * cut.keys,
  )
  return [...tiled, finished(s, prefix, facts, (parts) => inRows(s, prefix, parts, cut), 'rows')]
}

function pagesPlans(s: Tree, facts: Facts): Plan[] {
  if (!runs(s)) return []
  return [4, 8, 2].map((keys) => {
    const cut = fitted(
      { lanes: 16, rows: Math.min(groupOf(s), 4), keys, workgroup: 128, groups: 1056 },
      s['head-dim'],
      facts,
    )
    const prefix = splitsOf(s.prefix, leafUnits(s), cut.groups, (cut.workgroup / cut.lanes) * cut.keys)
    return finished(s, prefix, facts, (parts) => byLeaf(s, 'prefix', prefix, parts, cut), `keys=${keys}`)
  })
}

function expectations(s: Tree, random: Random): Expectation[] {
  const dim = s['head-dim']
  const kvHeads = s['kv-heads']
  const [q, k, v, ownK, ownV] = [reader(fillQ), reader(fillK), reader(fillV), reader(fillOwnK), reader(fillOwnV)]
  const all = s.trees * s.leaves * s.heads
  const tokens = s.prefix + s.own
  return someOf(all, random, Math.max(3, Math.min(24, Math.floor(2 ** 22 / (tokens * dim))))).map((row) => {
    const leaf = Math.floor(row / s.heads)
    const head = Math.floor((row % s.heads) / groupOf(s))
    const prefix = (Math.floor(leaf / s.leaves) * kvHeads + head) * s.prefix * dim
    const own = (leaf * kvHeads + head) * s.own * dim
    const rows = (shared: typeof k, alone: typeof k) => {
      const first = plainRows(shared, prefix, dim)
      const last = plainRows(alone, own, dim)
      return (j: number, out: Float64Array, sizes: Float64Array) =>
        j < s.prefix ? first(j, out, sizes) : last(j - s.prefix, out, sizes)
    }
    return {
      tensor: 'output',
      offset: row * dim,
      ...attended(
        {
          query: Float64Array.from({ length: dim }, (_, i) => q(row * dim + i) / Math.sqrt(dim)),
          keys: tokens,
          key: rows(k, ownK),
          value: rows(v, ownV),
          valueDim: dim,
        },
        'fp16',
      ),
    }
  })
}

function treeKernel(name: string, means: string, plans: (s: Tree, facts: Facts) => Plan[]): AnyKernel {
  return kernel<Tree>({
    name,
    means,
    sizes: {
      trees: { means: 'trees', default: 1 },
      leaves: { means: 'leaves of a tree', default: 64 },
      heads: decodeSizes.heads,
      'kv-heads': decodeSizes['kv-heads'],
      'head-dim': decodeSizes['head-dim'],
      prefix: { means: 'tokens that the leaves of a tree share', default: 8192 },
      own: { means: 'tokens of each leaf, the new one included', default: 256 },
    },
    shapes: {
      small: [{ leaves: 16, heads: 4, 'kv-heads': 4, prefix: 1024, own: 32 }],
      large: [{}, { 'kv-heads': 8 }, { leaves: 16 }],
    },
    baseline: (s) => ({
      kernel: 'attention-decode',
      sizes: {
        batch: s.trees * s.leaves,
        heads: s.heads,
        'kv-heads': s['kv-heads'],
        'head-dim': s['head-dim'],
        tokens: s.prefix + s.own,
        query: 1,
        bits,
      },
    }),
    problem: (s) => {
      const dim = s['head-dim']
      const rows = s.trees * s.leaves * s.heads * dim
      const prefix = s.trees * s['kv-heads'] * s.prefix * dim
      const own = leafUnits(s) * s.own * dim
      return {
        tensors: [
          { name: 'q', elements: rows, type: 'fp16', use: 'input', fill: fillQ },
          { name: 'k', elements: prefix, type: 'fp16', use: 'input', fill: fillK },
          { name: 'v', elements: prefix, type: 'fp16', use: 'input', fill: fillV },
          { name: 'own_k', elements: own, type: 'fp16', use: 'input', fill: fillOwnK },
          { name: 'own_v', elements: own, type: 'fp16', use: 'input', fill: fillOwnV },
          { name: 'output', elements: rows, type: 'fp16', use: 'output' },
        ],
        operators: pick(
          passOf([attentionModule(s)], tree(s.trees, s.leaves, s.prefix, s.own - 1), plainFormats(bits)),
          'attention',
        ),
        tolerance: attentionTolerance,
        expectations: (random) => expectations(s, random),
      }
    },
    plans: { webgpu: plans },
  })
}

export const attentionTree = treeKernel(
  'attention-tree',
  "a tree's leaves over a prefix that is read once for all (ETS)",
  sharedPlans,
)

export const attentionTreePages = treeKernel(
  'attention-tree-pages',
  "a tree's leaves, each of which reads the shared prefix by itself, from the same pages",
  pagesPlans,
)
