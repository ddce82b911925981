// BiLD: a small model writes, a large one checks and takes over where the small one is unsure.
import { releasedThresholds } from '../bild/algorithm.ts'
import type { BildRates } from '../bild/renewal.ts'
import { type TaskName, taskNames, textsOfTask } from '../bild/tasks.ts'
import type { Method, Values } from '../method.ts'
import { pairWarnings } from '../speculation/vocabulary.ts'
import { bild as rounds } from '../strategies/bild.ts'
import { cutWarnings, deployedBeside } from './draft.ts'

export const bild: Method = {
  name: 'bild',
  means: 'a small model writes until it is unsure, the target checks and rolls back where they differ; not lossless',
  source: 'BiLD, arXiv 2302.07863',
  options: [
    { name: 'small', means: 'the small model: a preset, a config.json, or its folder', kind: 'model' },
    {
      name: 'fallback',
      means: 'confidence below which the target takes over, as on a text of `task`',
      optional: true,
      least: 0,
      most: 1,
    },
    {
      name: 'rollback',
      means: 'nats from which a token is taken back, as on a text of `task`',
      optional: true,
      least: 0,
    },
    { name: 'task', means: 'the texts that both thresholds are asked on', choices: taskNames, optional: true },
    {
      name: 'aligned',
      means: 'yes: the small model was trained on what the large one writes',
      choices: ['no', 'yes'],
      optional: true,
    },
    {
      name: 'unsure',
      means: 'in place of thresholds: probability that a small step falls back',
      optional: true,
      least: 0,
      most: 1,
    },
    { name: 'rejected', means: 'and that a small token is rolled back', optional: true, least: 0, most: 1 },
    { name: 'window', means: 'most small tokens in a row', least: 1, most: 1000, whole: true, default: 10 },
    { name: 'weights', means: "storage of the small model's weights: int4", kind: 'text', optional: true },
    { name: 'kv', means: "storage of the small model's cache: fp8", kind: 'text', optional: true },
    { name: 'tp', means: "devices of the small model; left out: the target's", optional: true, least: 1, whole: true },
  ],
  apply: (options) => options,
  strategy: (context, values, loaded) => {
    const model = loaded.models.small
    if (!model) throw new RangeError(`with bild: expected small=MODEL, a model that was loaded, got ${values.small}`)
    const small = deployedBeside(context, model, values, 'bild')
    const { rates, thresholds, warnings } = ratesOf(values)
    const strategy = rounds({ rates, small: () => small })
    const { unsure, rejected } = rates
    const { target } = context
    return {
      strategy,
      values: { ...values, ...thresholds, unsure, rejected },
      warnings: [...pairWarnings(model, target.architecture), ...cutWarnings(target, model, 'bild'), ...warnings],
    }
  },
}

interface Asked {
  readonly rates: BildRates
  /** What the rates follow from, for answers to echo; none where rates were given. */
  readonly thresholds: Values
  readonly warnings: readonly string[]
}

/** The rates that were given, or those that the thresholds make on the texts of a task. Throws RangeError. */
function ratesOf(values: Values): Asked {
  const window = Number(values.window)
  const thresholds = ['fallback', 'rollback', 'task', 'aligned'].filter((name) => values[name] !== undefined)
  const given = ['unsure', 'rejected'].filter((name) => values[name] !== undefined)
  if (given.length === 2 && thresholds.length === 0) {
    const rates = { unsure: Number(values.unsure), rejected: Number(values.rejected), window }
    return { rates, thresholds: {}, warnings: [] }
  }
  if (given.length > 0 || values.task === undefined) {
    const got = [...given, ...thresholds].join(', ') || 'none'
    throw new RangeError(`with bild: expected unsure and rejected, or a task with fallback and rollback, got ${got}`)
  }
  const { aligned = 'no' } = values
  const fallback = Number(values.fallback ?? releasedThresholds.fallback)
  const rollback = Number(values.rollback ?? releasedThresholds.rollback)
  const task = textsOfTask(values.task as TaskName, aligned === 'yes')
  const asked = { fallback, rollback, window }
  const warnings = [`bild: rates of ${task.title}`, ...task.warnings(asked)]
  return { rates: task.rates(asked), thresholds: { fallback, rollback, aligned }, warnings }
}
