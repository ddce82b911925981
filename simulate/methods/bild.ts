// BiLD: a small model writes, a large one checks and takes over where the small one is unsure.

import type { BildRates } from '../bild/renewal.ts'
import type { Method, Values } from '../method.ts'
import { checkProbability } from '../speculation/acceptance.ts'
import { pairWarnings } from '../speculation/vocabulary.ts'
import { bild as rounds } from '../strategies/bild.ts'
import { deployedBeside } from './draft.ts'

export const bild: Method = {
  name: 'bild',
  means: 'a small model writes until it is unsure, the target checks and rolls back where they differ; not lossless',
  source: 'BiLD, arXiv 2302.07863',
  options: [
    { name: 'small', means: 'the small model: a preset, a config.json, or its folder', kind: 'model' },
    { name: 'unsure', means: 'probability that a small step falls back to the target', least: 0, most: 1 },
    { name: 'rejected', means: "probability that a small model's token makes the target roll back", least: 0, most: 1 },
    {
      name: 'window',
      means: 'most tokens that the small model writes in a row',
      least: 1,
      most: 1000,
      whole: true,
      default: 10,
    },
    { name: 'weights', means: "storage of the small model's weights: int4", kind: 'text', optional: true },
    { name: 'kv', means: "storage of the small model's cache: fp8", kind: 'text', optional: true },
    {
      name: 'tp',
      means: "devices that the small model is cut over; left out: the target's",
      optional: true,
      least: 1,
      whole: true,
    },
  ],
  apply: (options) => options,
  strategy: (context, values, loaded) => {
    const model = loaded.models.small
    if (!model) throw new RangeError(`with bild: expected small=MODEL, a model that was loaded, got ${values.small}`)
    const small = deployedBeside(context, model, values, 'bild')
    const warnings = pairWarnings(model, context.target.architecture)
    return { strategy: rounds({ rates: ratesOf(values), small: () => small }), values, warnings }
  },
}

function ratesOf(values: Values): BildRates {
  const unsure = Number(values.unsure)
  const rejected = Number(values.rejected)
  checkProbability('unsure', unsure)
  checkProbability('rejected', rejected)
  return { unsure, rejected, window: Number(values.window) }
}
