// Self-speculation with a short cache: the target drafts for itself, reading few rows of the past (MagicDec).

import type { Role } from '../../model/architecture.ts'
import type { Deployment } from '../../model/deployment.ts'
import type { Format } from '../../model/format.ts'
import { type BudgetKind, budgetKinds, budgetSelection } from '../../model/selections/budget.ts'
import type { Method } from '../method.ts'
import { contextOf } from '../strategies/groups.ts'
import { speculative } from '../strategies/speculative.ts'
import { drafting, formatOf, gammaOption, rateOptions } from './rates.ts'

const linear: readonly Role[] = ['attention', 'recurrence', 'ffn', 'experts']

export const sparseDraft: Method = {
  name: 'sparse-draft',
  means: 'the model drafts for itself, reading only a short cache of its own',
  source: 'MagicDec, arXiv 2408.11049, with StreamingLLM (2309.17453) or SnapKV (2404.14469)',
  options: [
    gammaOption,
    ...rateOptions,
    {
      name: 'kind',
      means: 'streaming: the first and last tokens; snapkv: those the prompt attended most, and the last',
      choices: budgetKinds,
      default: 'streaming',
    },
    {
      name: 'budget',
      means: 'rows that the draft reads: tokens, or below 1 a share of the context',
      least: 0,
      default: 512,
    },
    {
      name: 'weights',
      means: "storage of the draft's linear weights; left out: the target's own",
      kind: 'text',
      optional: true,
    },
  ],
  apply: (options) => options,
  strategy: (context, values, loaded) => {
    const asked = Number(values.budget)
    const budget = asked < 1 ? Math.round(asked * contextOf(context.workload)) : asked
    if (!Number.isInteger(budget) || (budget < 1 && contextOf(context.workload) > 0)) {
      throw new RangeError(
        `with sparse-draft: expected budget as whole tokens from 1, or as a share below 1, got ${values.budget}`,
      )
    }
    const weights = formatOf('sparse-draft', 'weights', values.weights)
    const made = drafting('sparse-draft', context, values, loaded, (gamma, rate) =>
      speculative({
        gamma,
        rate,
        draft: (target) => shortened(target, values.kind as BudgetKind, budget, weights),
        cache: 'rows',
        prefills: false,
      }),
    )
    const all = budget >= contextOf(context.workload) && contextOf(context.workload) > 0
    const idle = all ? [`sparse-draft: a budget of ${budget} rows is the whole context`] : []
    return { ...made, warnings: [...made.warnings, ...idle] }
  },
}

function shortened(target: Deployment, kind: BudgetKind, budget: number, format: Format | undefined): Deployment {
  const weights = { ...target.weights }
  if (format) for (const role of linear) weights[role] = format
  // What else chooses among the whole past is for the target: the draft has a choice of its own.
  const masks = target.selections.filter((s) => !s.choose)
  return { ...target, weights, selections: [...masks, budgetSelection(kind, budget)] }
}
