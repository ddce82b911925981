// Rows of collectives. A message is what the tests of the library call the size: of a gather the whole result, of a
// reduce-scatter the whole input, of the others each rank's buffer.
import type { Operator } from '../../model/operator.ts'
import { type Case, count, formatOf, type Line, timed, Unmappable } from './case.ts'

type Type = Extract<Operator['shape'], { kind: 'collective' }>['type']

const types: Readonly<Record<string, { type: Type; shared?: true }>> = {
  all_reduce: { type: 'all-reduce' },
  all_gather: { type: 'all-gather', shared: true },
  // The first half of an all-reduce: it sends what a gather of its result would.
  reduce_scatter: { type: 'all-gather', shared: true },
  alltoall: { type: 'all-to-all' },
}

export function collective(line: Line): Case {
  const { op = '', dtype = '', library = '', version = '', mode = '' } = line
  const known = types[op]
  if (!known) throw new Unmappable(`op: '${op}' is not known (${Object.keys(types).join(', ')})`)
  const devices = count(line, 'num_gpus')
  const bytes = (count(line, 'message_elems') * formatOf(line, 'dtype').bits) / 8
  const operator: Operator = {
    name: op,
    layers: '',
    count: 1,
    launches: 1,
    shape: { kind: 'collective', type: known.type, devices, message: known.shared ? bytes / devices : bytes },
    matrix: 0,
    vector: 0,
    unit: 'bf16',
    streams: [],
  }
  return {
    ...timed(line),
    kind: 'collective',
    operators: [operator],
    keys: { op, dtype, framework: library, version, kernel: mode, devices: String(devices) },
  }
}
