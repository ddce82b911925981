// KVQuant as a way to keep the cache.
import { type Kvquant, kvquantBits, kvquantStorages, kvquantStore } from '../../model/stores/kvquant.ts'
import { type Method, withStore } from '../method.ts'

export const kvquant: Method = {
  name: 'kvquant',
  means: 'keys and values in 2 to 4 bits: non-uniform codes, keys per channel before their rotation, values per token',
  source: 'KVQuant, arXiv 2401.18079; kernel rates from its table 6',
  options: [
    {
      name: 'bits',
      means: 'bits of a code; 16 without outliers: no method at all',
      choices: [...kvquantBits, 16],
      default: 4,
    },
    { name: 'outliers', means: 'share of the elements kept aside exactly', least: 0, below: 1, default: 0.01 },
    { name: 'sink', means: 'first tokens kept in 16 bits', least: 0, whole: true, default: 1 },
    {
      name: 'storage',
      means: 'paper: 16-bit outliers and indices; released: 32-bit ones, as its code keeps them',
      choices: kvquantStorages,
      default: 'paper',
    },
  ],
  apply: (options, values) => {
    if (values.bits !== 16) return withStore(options, kvquantStore(values as unknown as Kvquant))
    if (values.outliers === 0) return options
    throw new RangeError('with kvquant: bits=16 keeps every element as it is; expected outliers=0 beside it')
  },
}
