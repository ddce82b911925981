// Speculative decoding with another model as the draft.
import type { Architecture } from '../../model/architecture.ts'
import type { Deployment } from '../../model/deployment.ts'
import type { Method, StrategyContext, Values } from '../method.ts'
import { pairWarnings } from '../speculation/vocabulary.ts'
import { speculative } from '../strategies/speculative.ts'
import { drafting, formatOf, gammaOption, rateOptions } from './rates.ts'

export const draft: Method = {
  name: 'draft',
  means: 'a smaller model drafts tokens, the target checks them all in one pass',
  source: 'speculative decoding, arXiv 2211.17192 and 2302.01318',
  options: [
    { name: 'model', means: 'the model that drafts: a preset, a config.json, or its folder', kind: 'model' },
    gammaOption,
    ...rateOptions,
    { name: 'weights', means: "storage of the draft's weights: int4", kind: 'text', optional: true },
    { name: 'kv', means: "storage of the draft's cache: fp8", kind: 'text', optional: true },
    {
      name: 'tp',
      means: "devices that the draft is cut over; left out: the target's",
      optional: true,
      least: 1,
      whole: true,
    },
  ],
  apply: (options) => options,
  strategy: (context, values, loaded) => {
    const model = loaded.models.model
    if (!model) throw new RangeError(`with draft: expected model=MODEL, a model that was loaded, got ${values.model}`)
    const small = deployedBeside(context, model, values, 'draft')
    const warnings = [
      ...pairWarnings(model, context.target.architecture),
      ...cutWarnings(context.target, model, 'draft'),
    ]
    const made = drafting('draft', context, values, loaded, (gamma, rate) =>
      speculative({ gamma, rate, draft: () => small, cache: 'rows', prefills: true }),
    )
    return { ...made, warnings: [...warnings, ...made.warnings] }
  },
}

/** A second model is cut by `tp` alone. */
export function cutWarnings({ parallel }: Deployment, model: Architecture, method: string): string[] {
  const others = [parallel.pipeline > 1 ? '--pp' : '', parallel.expert > 1 ? '--ep' : ''].filter((flag) => flag !== '')
  if (others.length === 0) return []
  return [`${method}: ${model.name} is cut by its tp alone, ${others.join(' and ')} are the target's`]
}

/** A second model on the target's devices, as its options say. Throws RangeError where the two cannot go together. */
export function deployedBeside(
  { target, deploy }: StrategyContext,
  model: Architecture,
  values: Values,
  method: string,
): Deployment {
  if (model.kind !== target.architecture.kind) {
    throw new RangeError(
      `with ${method}: expected a model of the same kind as ${target.architecture.name} (${target.architecture.kind}), got ${model.name} (${model.kind})`,
    )
  }
  const weights = formatOf(method, 'weights', values.weights)
  const kv = formatOf(method, 'kv', values.kv)
  const tensor = values.tp === undefined ? target.parallel.tensor : Number(values.tp)
  try {
    return deploy(model, {
      ...(weights && { weights }),
      ...(kv && { kv }),
      fusion: target.fusion,
      parallel: { tensor },
    })
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`with ${method}: ${error.message}`) : error
  }
}
