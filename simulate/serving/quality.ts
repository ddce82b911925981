// What each model is worth on each task: accuracies, measured elsewhere.

export interface Quality {
  readonly tasks: readonly string[]
  /** By model's name, then task. */
  readonly models: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly source: string
}

/** Zero-shot accuracies in percent. */
export const optQuality = {
  tasks: ['piqa', 'winogrande', 'arc_easy', 'arc_challenge', 'lambada', 'sciq', 'logiqa'],
  // biome-ignore format: one model per row
  models: {
    'opt-125m': { piqa: 63.0,  winogrande: 50.28, arc_easy: 43.52, arc_challenge: 18.94, lambada: 37.9,  sciq: 75.1, logiqa: 22.73 },
    'opt-1.3b': { piqa: 71.71, winogrande: 59.75, arc_easy: 57.03, arc_challenge: 23.12, lambada: 57.93, sciq: 84.5, logiqa: 22.27 },
    'opt-6.7b': { piqa: 76.28, winogrande: 65.27, arc_easy: 65.61, arc_challenge: 30.55, lambada: 67.71, sciq: 90.1, logiqa: 23.5 },
  },
  source: 'EleutherAI/lm-evaluation-harness, results/opt',
} as const satisfies Quality

/** A table of a file: `{model: {task: accuracy}}`. Throws RangeError that says what is wrong. */
export function parseQuality(json: unknown, source: string): Quality {
  if (!isRecord(json) || Object.keys(json).length === 0) {
    throw new RangeError('expected {"model": {"task": accuracy}}, got something else')
  }
  const models: Record<string, Record<string, number>> = {}
  for (const [model, of] of Object.entries(json)) {
    if (!isRecord(of)) throw new RangeError(`${model}: expected {"task": accuracy}`)
    models[model] = {}
    for (const [task, value] of Object.entries(of)) {
      if (typeof value !== 'number' || !(value >= 0 && value < 1e9)) {
        throw new RangeError(`${model}: ${task}: expected an accuracy from 0, got ${JSON.stringify(value)}`)
      }
      models[model][task] = value
    }
  }
  return { tasks: Object.keys(Object.values(models)[0] ?? {}), models, source }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Accuracies by model, then task, of the named ones. Throws RangeError where one is missing. */
export function qualityOf(quality: Quality, models: readonly string[], tasks: readonly string[]): number[][] {
  return models.map((model) => {
    const of = Object.hasOwn(quality.models, model) ? quality.models[model] : undefined
    if (!of) {
      throw new RangeError(`quality: expected a row of ${model}, got ${Object.keys(quality.models).join(', ')}`)
    }
    return tasks.map((task) => {
      const value = Object.hasOwn(of, task) ? of[task] : undefined
      if (value === undefined) {
        throw new RangeError(`quality: expected ${model} on ${task}, got ${Object.keys(of).join(', ')}`)
      }
      return value
    })
  })
}
