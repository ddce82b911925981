// KIVI as a way to keep the cache.
import { type Kivi, kiviStore } from '../../model/stores/kivi.ts'
import { type Method, withStore } from '../method.ts'

export const kivi: Method = {
  name: 'kivi',
  means:
    'keys and values as integers in groups: keys along tokens, values along channels, the newest tokens in 16 bits',
  source: 'KIVI, arXiv 2402.02750; as KVQuant compares with it (arXiv 2401.18079, table 4)',
  options: [
    { name: 'bits', means: 'bits of a code; 16: no method at all', choices: [2, 3, 4, 8, 16], default: 2 },
    { name: 'group', means: 'elements that share a scale and a zero point', least: 1, whole: true, default: 32 },
    { name: 'residual', means: 'newest tokens kept in 16 bits', least: 0, whole: true, default: 128 },
  ],
  apply: (options, values) => (values.bits === 16 ? options : withStore(options, kiviStore(values as unknown as Kivi))),
}
