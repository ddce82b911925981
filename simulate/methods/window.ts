// A sliding window over every layer.
import { windowSelection } from '../../model/cache.ts'
import type { Method } from '../method.ts'

export const window: Method = {
  name: 'window',
  means: 'every layer reads and holds only the last tokens',
  source: 'sliding window attention: Longformer, arXiv 2004.05150, section 3.1',
  options: [{ name: 'tokens', means: 'length of the window, the new token included', least: 1, whole: true }],
  apply: (options, { tokens }) => ({
    ...options,
    selections: [...(options.selections ?? []), windowSelection(Number(tokens))],
  }),
}
