import { describe, expect, it } from 'vitest'
import { csv, markdown, table, text, wrap } from '../../cli/table.ts'
import { noStyles } from '../../cli/terminal.ts'

interface Row {
  readonly name: string
  readonly layer: string
  readonly seconds: number | null
}

const rows: Row[] = [
  { name: 'embedding', layer: '', seconds: 1e-6 },
  { name: 'attention-indexer-scores', layer: 'layers 0-1', seconds: 0.25 },
  { name: 'says "a, b" | c', layer: 'layers 0-1', seconds: null },
]

const example = table<Row>(
  [
    { key: 'name', title: 'operator', value: (r) => r.name, wraps: true },
    { key: 'layer', title: 'layers', value: (r) => r.layer, only: 'document' },
    { key: 'seconds', title: 'time', value: (r) => r.seconds, text: (r) => `${r.seconds ?? '?'} s`, align: 'right' },
    { key: 'raw', value: (r) => r.seconds },
    { key: 'note', title: 'note', text: () => 'note', spare: 1 },
  ],
  rows,
  { heading: (r) => r.layer, sums: [{ name: 'all', seconds: '0.25 s' }] },
)

describe('a table', () => {
  it('as CSV has raw values, quotes what needs it and leaves null empty', () => {
    expect(csv(example)).toBe(
      'name,layer,seconds,raw\n' +
        'embedding,,0.000001,0.000001\n' +
        'attention-indexer-scores,layers 0-1,0.25,0.25\n' +
        '"says ""a, b"" | c",layers 0-1,,\n',
    )
  })

  it('as Markdown escapes bars and ends with the sums', () => {
    expect(markdown(example)).toBe(
      '| operator | layers | time | note |\n' +
        '| --- | --- | ---: | --- |\n' +
        '| embedding |  | 0.000001 s | note |\n' +
        '| attention-indexer-scores | layers 0-1 | 0.25 s | note |\n' +
        '| says "a, b" \\| c | layers 0-1 | ? s | note |\n' +
        '| all |  | 0.25 s |  |\n',
    )
  })

  it('as text has headings, aligned columns and sums', async () => {
    expect(await text(example, 80, noStyles)).toBe(
      [
        'operator                          time  note',
        'embedding                   0.000001 s  note',
        'layers 0-1',
        '  attention-indexer-scores      0.25 s  note',
        '  says "a, b" | c                  ? s  note',
        'all                             0.25 s',
        '',
      ].join('\n'),
    )
  })

  it('as narrow text wraps names and drops what is spare', async () => {
    expect(await text(example, 26, noStyles)).toBe(
      [
        'operator              time',
        'embedding       0.000001 s',
        'layers 0-1',
        '  attention-        0.25 s',
        '  indexer-',
        '  scores',
        '  says "a, b"          ? s',
        '  | c',
        'all                 0.25 s',
        '',
      ].join('\n'),
    )
  })
})

describe('wrap', () => {
  it.each([
    ['a b c', 5, ['a b c']],
    ['aa bb cc', 5, ['aa bb', 'cc']],
    ['post-attention-norm', 16, ['post-attention-', 'norm']],
    ['abcdefgh', 3, ['abc', 'def', 'gh']],
    ['', 3, ['']],
  ] as const)('breaks %j at %d', (value, width, lines) => expect(wrap(value, width)).toEqual(lines))
})
