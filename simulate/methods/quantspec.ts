// QuantSpec: the target drafts for itself with 4-bit weights and the upper plane of its own cache.
import type { Role } from '../../model/architecture.ts'
import type { Deployment } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import { weightRoles } from '../../model/parameters.ts'
import { hierarchicalStore } from '../../model/stores/hierarchical.ts'
import { type Method, type Values, withStore } from '../method.ts'
import type { Rate } from '../speculation/rate.ts'
import { speculative } from '../strategies/speculative.ts'
import { drafting, gammaOption, rateOptions } from './rates.ts'

/** Roles that the draft keeps in 4 bits: as released, only the FFN's; or all linear layers. */
const quantized: Readonly<Record<string, readonly Role[]>> = {
  ffn: ['ffn', 'experts'],
  all: ['attention', 'recurrence', 'ffn', 'experts'],
}

export const quantspec: Method = {
  name: 'quantspec',
  means: 'the model drafts for itself: 4-bit weights, and 4 of the 8 bits that its cache is kept in',
  source: 'QuantSpec, arXiv 2502.10424',
  options: [
    gammaOption,
    ...rateOptions,
    {
      name: 'group',
      means: 'elements that share a scale, and tokens encoded together',
      default: 128,
      least: 1,
      whole: true,
    },
    {
      name: 'weights',
      means: 'what the draft has a 4-bit copy of: the FFN, or all linear layers',
      choices: ['ffn', 'all'],
      default: 'ffn',
    },
  ],
  apply: (options, values) =>
    withStore(options, hierarchicalStore({ group: groupOf(values), planes: 'both', kept: 1 })),
  strategy: (context, values, loaded) => {
    const group = groupOf(values)
    const int4 = { ...format('int4'), group }
    const roles = (quantized[String(values.weights)] ?? []).filter((role) => wider(context.target, role))
    const make = (gamma: number, rate: Rate) => {
      if (gamma >= group) {
        throw new RangeError(
          `with quantspec: expected gamma below the group of ${group} tokens that can be taken back, got ${gamma}`,
        )
      }
      const planes = (target: Deployment, which: 'both' | 'upper', kept: number): Deployment => ({
        ...target,
        store: hierarchicalStore({ group, planes: which, kept }),
      })
      return speculative({
        gamma,
        rate,
        draft: (target) => {
          const weights = { ...target.weights }
          for (const role of roles) weights[role] = int4
          return { ...planes(target, 'upper', 0), weights }
        },
        target: (target, kept) => planes(target, 'both', kept),
        cache: 'states',
        prefills: false,
      })
    }
    const made = drafting('quantspec', context, values, loaded, make, group - 1)
    const idle = made.values.gamma === 0 ? ['quantspec: nothing is drafted; what is left of it is its 8-bit cache'] : []
    const narrow = roles.length === 0 ? [alreadyNarrow] : []
    return { ...made, warnings: [...made.warnings, ...idle, ...narrow] }
  },
}

const alreadyNarrow = 'quantspec: what it would copy in 4 bits is kept in no more already; the draft reads it as it is'

/** Whether the target keeps such weights, in more bits than the draft would. */
function wider({ architecture, weights }: Deployment, role: Role): boolean {
  return weightRoles(architecture).includes(role) && weights[role].bits > format('int4').bits
}

function groupOf(values: Values): number {
  return Number(values.group)
}
