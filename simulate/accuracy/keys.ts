// What measured rows can be grouped by.

/** Of the row itself, of its prediction (regime, limit, term, kernels), and its file. */
export const groupKeys = [
  'machine',
  'kind',
  'regime',
  'limit',
  'term',
  'kernels',
  'op',
  'model',
  'dtype',
  'framework',
  'version',
  'kernel',
  'cold',
  'devices',
  'layers',
  'tp',
  'ep',
  'file',
] as const

export const defaultGroups = ['kind', 'machine'] as const
