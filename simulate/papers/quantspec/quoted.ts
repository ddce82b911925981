// Published figures that nothing here predicts, with the reason.
import { type Row, row } from '../row.ts'
import { leastSpeedup, magicDrafted, magicTable, perplexities, perplexityTable, speedTable } from './published.ts'

export function quotedRows(): Row[] {
  return [
    row(speedTable, {
      item: 'lwm-text-chat-128k/any-length/least',
      published: leastSpeedup,
      computed: null,
      why: 'a least speedup over a figure whose lengths and acceptances are not in print',
    }),
    ...perplexities.map(([item, published]) =>
      row(perplexityTable, { item, published, computed: null, why: 'needs the model itself' }),
    ),
    ...magicDrafted.map(({ machine, tokens, batch, speedup }) =>
      row(magicTable, {
        item: `${machine}/llama-2-7b-32k+tinyllama/${tokens}/${batch}`,
        published: speedup,
        computed: null,
        why: "this draft's acceptance is not in print, nor is its number of tokens",
      }),
    ),
  ]
}
