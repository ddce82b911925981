// What each term is worth: the error on machines left out and on halves of a machine's rows left out, with all terms and
// with one held where it vanishes, every other constant fitted anew; of fp8 products, the term is only taken out.

import { type AttentionKind, attentionRatios, fitAttention, type Held, scored } from '../../hardware/fit/attention.ts'
import { collectiveRatios, fitCollectives } from '../../hardware/fit/collective.ts'
import { errorsOf } from '../../hardware/fit/errors.ts'
import { fitGemm, gemmNames, gemmRatios, gemmStart } from '../../hardware/fit/gemm.ts'
import { fitNarrow, narrowRatios } from '../../hardware/fit/narrow.ts'
import { type Fitting, otherHalf, ratiosBy, withoutEach } from '../../hardware/fit/schemes.ts'
import type { GemmConstants } from '../../hardware/gemm-time.ts'
import type { CollectiveConstants } from '../../hardware/plain-time.ts'
import { type Column, type Table, table } from '../table.ts'
import type { Data } from './data.ts'
import { type Fits, halfOf, halfOfProduct, machineOf } from './fitted.ts'

export interface Ablation {
  readonly kind: string
  readonly term: string
  readonly full: HeldOut
  readonly without: HeldOut
}

/** Mean absolute error, pooled over rows. */
interface HeldOut {
  /** On machines left out. */
  readonly unseen: number
  /** On halves of a machine's rows left out; absent where the scheme has constants of its own. */
  readonly same?: number
}

const nothing = 1e-9
const endless = 1e9

/** Terms of products, by the values at which they vanish. */
const gemmTerms: Readonly<Record<string, Partial<GemmConstants>>> = {
  'launch: clocks between kernels': { launch: nothing },
  'feed: operands to the matrix units': { feed: nothing },
  'fill: tiles starting and ending': { fill: nothing },
  'cache: operands from the last-level cache': { cache: endless },
  'stream: bytes in flight of one unit': { stream: endless },
  'memory: share of the datasheet bandwidth': { memory: 1 },
  'join, reduce: joining split k': { join: nothing, reduce: nothing },
  'tail: idle units in the last wave': { tail: nothing },
  'write: results written at the end': { write: nothing },
  'energy: power limit': { energy: 1e-30 },
  'heat: power limit after a time': { heat: 1e-12 },
  'asynchronous: units fed by copies of their own': { asynchronous: 1 },
}

const decodeTerms: Readonly<Record<string, NonNullable<Held['decode']>>> = {
  'launch: kernels of the chain': { launch: 0 },
  'start: blocks starting and ending': { start: 0 },
  'tile: waiting and softmax per tile': { tile: 0 },
  'matrix: tiles slower than the peak': { matrix: 1 },
  'unpack: elements under 16 bits': { unpack: 1e12 },
  'wide: narrow elements in wide heads': { wide: 1 },
  'split: combining split keys': { split: 0 },
  'memory: share of the datasheet bandwidth': { memory: 1 },
}

const prefillTerms: Readonly<Record<string, NonNullable<Held['prefill']>>> = {
  'launch: kernels of the chain': { launch: 0 },
  'start: blocks starting and ending': { start: 0 },
  'matrix: tiles slower than the peak': { matrix: 1 },
  'softmax: vector work per score': { softmax: 0 },
  'unpack: elements under 16 bits': { unpack: 1e12 },
  'wide: narrow elements in wide heads': { wide: 1 },
  'exposed: traffic that tiles do not hide': { exposed: 0 },
  'settle: power limit after a time': { settle: 0 },
  'power limit': { settle: 1e12 },
}

const collectiveTerms: Readonly<Record<string, Partial<CollectiveConstants>>> = {
  'start: launch and first exchange': { start: 1e-12 },
  'hop: further devices': { hop: 1e-12 },
  'network: share of the link': { network: 1 },
  'fill: the pipeline of a ring': { fill: 0 },
  'crowd: devices sharing the host': { crowd: 0 },
}

export function ablations(data: Data, fits: Fits, say: (what: string) => void): Ablation[] {
  say('ablation of products')
  const gemm = compare('GEMM bf16', gemmTerms, (held) => gemmError(data, held))
  say('ablation of decode attention')
  const decode = compare('decode attention', decodeTerms, (held) => attentionError(data, 'decode', { decode: held }))
  say('ablation of prefill attention')
  const prefill = compare('prefill attention', prefillTerms, (held) =>
    attentionError(data, 'prefill', { prefill: held }),
  )
  say('ablation of collectives')
  const collective = compare('all-reduce', collectiveTerms, (held) => collectiveError(data, held))
  return [...gemm, ...decode, ...prefill, ...collective, ...narrowAblation(data, fits)]
}

function compare<H extends object>(kind: string, terms: Readonly<Record<string, H>>, error: (held: H) => HeldOut) {
  const full = error({} as H)
  return Object.entries(terms).map(([term, held]): Ablation => ({ kind, term, full, without: error(held) }))
}

function gemmError({ gemm }: Data, held: Partial<GemmConstants>): HeldOut {
  const start = { ...gemmStart, ...held }
  const free = gemmNames.filter((name) => held[name] === undefined)
  const fitting = { constants: (rows: Data['gemm']) => fitGemm(rows, { start, free }), ratios: gemmRatios }
  return heldOut(gemm, fitting, halfOfProduct)
}

function attentionError({ attention, machines }: Data, kind: AttentionKind, held: Held): HeldOut {
  const rows = attention.filter((r) => (r.kind === 'decode') === (kind === 'decode'))
  const fitting = {
    constants: (some: Data['attention']) => fitAttention(some, machines, held),
    ratios: (some: Data['attention'], k: ReturnType<typeof fitAttention>) => attentionRatios(some, machines, k),
  }
  return heldOut(rows, fitting, halfOf, (row) => row.kind === kind && scored(row))
}

function collectiveError({ collectives }: Data, held: Partial<CollectiveConstants>): HeldOut {
  const fitting = {
    constants: (rows: Data['collectives']) => fitCollectives(rows, held),
    ratios: collectiveRatios,
  }
  return heldOut(collectives, fitting, halfOf)
}

function heldOut<Row extends { readonly machine: string }, C>(
  rows: readonly Row[],
  fitting: Fitting<Row, C>,
  half: (row: Row) => string,
  counts: (row: Row) => boolean = () => true,
): HeldOut {
  const mape = (ratios: readonly number[]) => errorsOf(ratios.filter((_, i) => counts(rows[i] as Row))).mape
  return {
    unseen: mape(ratiosBy(rows, machineOf, withoutEach(rows, machineOf, fitting), fitting)),
    same: mape(otherHalf(rows, machineOf, half, fitting)),
  }
}

/** fp8 as if it were 16 bits at twice the rate; and without the kernel that quantizes. */
function narrowAblation({ fp8 }: Data, { unseen }: Fits): Ablation[] {
  const error = (change: Partial<ReturnType<typeof fitNarrow>>) => {
    const machines = [...new Set(fp8.map(machineOf))]
    const { mape } = errorsOf(
      machines.flatMap((machine) => {
        const gemm = unseen.get(machine)?.gemm
        if (!gemm) return []
        const k = fitNarrow(
          fp8.filter((r) => r.machine !== machine),
          gemm,
        )
        return narrowRatios(
          fp8.filter((r) => r.machine === machine),
          gemm,
          { ...k, ...change },
        )
      }),
    )
    return { unseen: mape }
  }
  const terms = {
    'slow: matrix units under their datasheet rate': { slow: 1 },
    'quantizing kernel': { launch: 0, memory: 1e12 },
  }
  return compare('fp8 GEMM', terms, error)
}

const percent = (share: number | undefined) => (share === undefined ? '' : `${(100 * share).toFixed(1)} %`)

function column(key: string, title: string, of: (a: Ablation) => number | undefined): Column<Ablation> {
  return { key, title, align: 'right', value: (a) => of(a) ?? null, text: (a) => percent(of(a)) }
}

export function ablationTable(rows: readonly Ablation[]): Table {
  return table<Ablation>(
    [
      { key: 'kind', title: 'kernel', value: (a) => a.kind },
      { key: 'term', title: 'term', value: (a) => a.term },
      column('unseen', 'machine unseen', (a) => a.full.unseen),
      column('unseen_without', 'without', (a) => a.without.unseen),
      column('same', 'same machine', (a) => a.full.same),
      column('same_without', 'without', (a) => a.without.same),
    ],
    rows,
  )
}
