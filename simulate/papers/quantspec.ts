// QuantSpec: bits of its cache, its kernels and rounds on an RTX A6000, its memory; and MagicDec's sparse drafts.
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { deploy } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import { hierarchicalStore, type Planes } from '../../model/stores/hierarchical.ts'
import type { Paper } from './paper.ts'
import { kernelRows } from './quantspec/kernels.ts'
import { bitsTable } from './quantspec/published.ts'
import { quotedRows } from './quantspec/quoted.ts'
import { magicRows, memoryRows, sparseRows, speedRows } from './quantspec/rounds.ts'
import { type Row, row } from './row.ts'

const group = 128

function bitsRows(): Row[] {
  const each = { count: 32, length: 128 }
  const bits = (planes: Planes) => {
    const store = hierarchicalStore({ group, planes, kept: 1 })
    return (
      (8 *
        store.row({
          kind: 'heads',
          vectors: [
            { of: 'key', ...each },
            { of: 'value', ...each },
          ],
        }).bytes) /
      8192
    )
  }
  return [
    row(bitsTable, { item: 'bits/draft', published: '4.25', computed: bits('upper') }),
    row(bitsTable, { item: 'bits/target', published: '8.25', computed: bits('both') }),
  ]
}

export async function load(): Promise<Paper> {
  const [machine, model] = await Promise.all([loadMachine('rtx-a6000'), loadModel('llama-2-7b-32k')])
  const dense = deploy(model)
  const view = (planes: Planes) => ({ ...dense, store: hierarchicalStore({ group, planes, kept: 1 }) })
  const draft = { ...view('upper'), weights: { ...dense.weights, ffn: { ...format('int4'), group } } }
  const [speeds, memories, ceilings, magic] = await Promise.all([
    speedRows(machine),
    memoryRows(machine),
    sparseRows(machine),
    magicRows(),
  ])
  const kernels = kernelRows({ dense, draft, target: view('both') }, machine)
  return { rows: () => [...bitsRows(), ...kernels, ...speeds, ...ceilings, ...memories, ...magic, ...quotedRows()] }
}
