// Where the steps of a search come from: the flags of the synthetic generator, or a recorded trace.
import type { Source } from '../../../simulate/search/node.ts'
import { type Generator, generatorDefaults, syntheticSource } from '../../../simulate/search/synthetic.ts'
import { searchTraceOf } from '../../../simulate/search/trace.ts'
import { UsageError } from '../../errors.ts'
import { readTrace } from './source.ts'

/** Flags of the generator, all under the names that it has for them. */
export type GeneratorFlags = { readonly [K in keyof Generator]?: number | undefined }

export interface SourceFlags extends GeneratorFlags {
  readonly trace?: string | undefined
  readonly problems?: number | undefined
  readonly seed?: number | undefined
}

export interface Steps {
  readonly source: Source
  readonly title: string
  readonly json: object
  /** Whether steps have embeddings, which coverage needs. */
  readonly embedded: boolean
  /** Tokens of the longest prompt. */
  readonly prompt: number
}

const usualProblems = 20

const generatorKeys = Object.keys(generatorDefaults) as (keyof Generator)[]

/** The flag of a field, as it is typed. */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

export async function searchSteps(flags: SourceFlags): Promise<Steps> {
  return flags.trace === undefined ? synthetic(flags) : await recorded(flags.trace, flags)
}

function synthetic(flags: SourceFlags): Steps {
  const { problems = usualProblems, seed = 1 } = flags
  const given = generatorKeys.flatMap((key) => (flags[key] === undefined ? [] : [[key, flags[key]] as const]))
  const generator = { ...generatorDefaults, ...Object.fromEntries(given) }
  return {
    source: syntheticSource(problems, seed, generator),
    title: `${problems} synthetic ${problems === 1 ? 'problem' : 'problems'}, seed ${seed}`,
    json: { source: 'synthetic', problems, seed, generator, trace: null },
    embedded: true,
    prompt: generator.prompt,
  }
}

async function recorded(path: string, flags: SourceFlags): Promise<Steps> {
  const drawn = (['problems', 'seed', ...generatorKeys] as const).find((name) => flags[name] !== undefined)
  if (drawn !== undefined) throw new UsageError(`${flagOf(drawn)}: it is for synthetic problems, not for --trace`)
  const source = await readTrace(path, searchTraceOf)
  const { problems } = source
  const prompts = Array.from({ length: problems }, (_, i) => source.problem(i).root.tokens)
  return {
    source,
    title: `${problems === 1 ? 'a problem' : `${problems} problems`} of ${path}`,
    json: { source: 'trace', problems, seed: null, generator: null, trace: path },
    embedded: source.embeddingSize !== undefined,
    prompt: prompts.reduce((a, b) => Math.max(a, b), 0),
  }
}
