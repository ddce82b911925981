// The known models by name and alias: a row says which family file has the preset. No file is loaded until its model is
// asked for. A preset is a config like any user's: both are read the same way.
import type { Architecture } from './architecture.ts'
import { nearest } from './nearest.ts'
import type { Presets } from './presets/sizes.ts'

interface Row {
  readonly load: () => Promise<{ readonly presets: Presets }>
  readonly aliases: readonly string[]
}

function row(load: Row['load'], ...aliases: string[]): Row {
  return { load, aliases }
}

const bart = () => import('./presets/bart.ts')
const bert = () => import('./presets/bert.ts')
const bloom = () => import('./presets/bloom.ts')
const deepseek = () => import('./presets/deepseek.ts')
const falcon = () => import('./presets/falcon.ts')
const gemma = () => import('./presets/gemma.ts')
const gpt2 = () => import('./presets/gpt2.ts')
const gptOss = () => import('./presets/gpt-oss.ts')
const llama = () => import('./presets/llama.ts')
const llama4 = () => import('./presets/llama4.ts')
const mistral = () => import('./presets/mistral.ts')
const nemotron = () => import('./presets/nemotron.ts')
const neox = () => import('./presets/neox.ts')
const opt = () => import('./presets/opt.ts')
const phi = () => import('./presets/phi.ts')
const qwen = () => import('./presets/qwen.ts')
const speech = () => import('./presets/speech.ts')
const t5 = () => import('./presets/t5.ts')
const vit = () => import('./presets/vit.ts')
const whisper = () => import('./presets/whisper.ts')

// Aliases beyond what `keys` equates. A model trained on from another, with the same config, is an alias of it.
// biome-ignore format: one model per row, columns aligned
const table = {
  'bert-base':           row(bert, 'bert', 'bert-base-uncased'),
  'bert-large':          row(bert, 'bert-large-uncased'),
  'roberta-base':        row(bert, 'roberta'),
  'roberta-large':       row(bert),
  'distilbert-base':     row(bert, 'distilbert', 'distilbert-base-uncased'),
  'electra-small':       row(bert, 'electra-small-discriminator'),
  'electra-base':        row(bert, 'electra-base-discriminator'),
  'electra-large':       row(bert, 'electra-large-discriminator'),
  'vit-tiny':            row(vit, 'vit-ti-16', 'vit-tiny-patch16-224', 'deit-tiny', 'deit-tiny-patch16-224'),
  'vit-small':           row(vit, 'vit-s-16', 'vit-small-patch16-224', 'deit-small', 'deit-small-patch16-224'),
  'vit-base':            row(vit, 'vit-b-16', 'vit-base-patch16-224', 'deit-base', 'deit-base-patch16-224'),
  'vit-large':           row(vit, 'vit-l-16', 'vit-large-patch16-224'),
  'vit-huge':            row(vit, 'vit-h-14', 'vit-huge-patch14-224'),
  'gpt-2-small':         row(gpt2, 'gpt-2'),
  'gpt-2-medium':        row(gpt2),
  'gpt-2-large':         row(gpt2),
  'gpt-2-xl':            row(gpt2),
  'gpt-3':               row(gpt2, 'gpt-3-175b'),
  'gpt-j-6b':            row(neox, 'gpt-j', 'gptj', 'gptj-6b'),
  'gpt-neox-20b':        row(neox, 'gpt-neox'),
  'pythia-70m':          row(neox),
  'pythia-160m':         row(neox),
  'pythia-410m':         row(neox),
  'pythia-1b':           row(neox),
  'pythia-1.4b':         row(neox),
  'pythia-2.8b':         row(neox),
  'pythia-6.9b':         row(neox),
  'pythia-12b':          row(neox),
  'bloom-560m':          row(bloom),
  'bloom-1.1b':          row(bloom, 'bloom-1b1'),
  'bloom-1.7b':          row(bloom, 'bloom-1b7'),
  'bloom-3b':            row(bloom),
  'bloom-7.1b':          row(bloom, 'bloom-7b1'),
  'bloom-176b':          row(bloom, 'bloom'),
  'falcon-7b':           row(falcon),
  'falcon-40b':          row(falcon),
  'falcon-180b':         row(falcon),
  't5-small':            row(t5),
  't5-base':             row(t5),
  't5-large':            row(t5),
  't5-3b':               row(t5),
  't5-11b':              row(t5),
  'flan-t5-small':       row(t5),
  'flan-t5-base':        row(t5),
  'flan-t5-large':       row(t5),
  'flan-t5-xl':          row(t5),
  'flan-t5-xxl':         row(t5),
  'mt5-small':           row(t5),
  'mt5-base':            row(t5),
  'mt5-large':           row(t5),
  'mt5-xl':              row(t5),
  'mt5-xxl':             row(t5),
  'bart-base':           row(bart),
  'bart-large':          row(bart),
  'opt-125m':            row(opt),
  'opt-350m':            row(opt),
  'opt-1.3b':            row(opt),
  'opt-2.7b':            row(opt),
  'opt-6.7b':            row(opt),
  'opt-13b':             row(opt),
  'opt-30b':             row(opt),
  'opt-66b':             row(opt),
  'opt-175b':            row(opt),
  'llama-7b':            row(llama),
  'llama-13b':           row(llama),
  'llama-30b':           row(llama, 'llama-33b'),
  'llama-65b':           row(llama),
  'openllama-3b':        row(llama, 'open-llama-3b'),
  'llama-2-7b':          row(llama),
  'llama-2-13b':         row(llama),
  'llama-2-70b':         row(llama),
  'llama-2-7b-32k':      row(llama),
  'longchat-7b-32k':     row(llama, 'longchat-7b-v1.5-32k'),
  'lwm-text-chat-128k':  row(llama),
  'lwm-text-chat':       row(llama, 'lwm-text-chat-1m'),
  'codellama-7b':        row(llama),
  'codellama-13b':       row(llama),
  'codellama-34b':       row(llama),
  'codellama-70b':       row(llama),
  'llemma-34b':          row(llama),
  'tinyllama':           row(llama, 'tinyllama-1.1b', 'tinyllama-1.1b-chat-v1.0'),
  'internlm-20b':        row(llama),
  'smollm2-135m':        row(llama),
  'smollm2-360m':        row(llama),
  'smollm2-1.7b':        row(llama),
  'llama-3-8b':          row(llama, 'meta-llama-3-8b'),
  'llama-3-70b':         row(llama, 'meta-llama-3-70b'),
  'llama-3.1-8b':        row(llama, 'meta-llama-3.1-8b', 'deepseek-r1-distill-llama-8b'),
  'llama-3.1-70b':       row(llama, 'meta-llama-3.1-70b'),
  'llama-3.1-405b':      row(llama, 'meta-llama-3.1-405b'),
  'llama-3.2-1b':        row(llama),
  'llama-3.2-3b':        row(llama),
  'llama-3.3-70b':       row(llama, 'deepseek-r1-distill-llama-70b', 'deepseek-r1-70b'),
  'llama-4-scout':       row(llama4, 'llama-4-scout-17b-16e'),
  'llama-4-maverick':    row(llama4, 'llama-4-maverick-17b-128e'),
  'mistral-7b':          row(mistral, 'mistral-7b-v0.1', 'mistral-7b-instruct-v0.1'),
  'mistral-7b-v0.2':     row(mistral, 'mistral-7b-instruct-v0.2'),
  'mistral-7b-v0.3':     row(mistral, 'mistral-7b-instruct-v0.3'),
  'mistral-nemo':        row(mistral, 'mistral-nemo-12b', 'mistral-nemo-base-2407', 'mistral-nemo-instruct-2407'),
  'mistral-small-24b':   row(mistral, 'mistral-small-24b-base-2501', 'mistral-small-24b-instruct-2501'),
  'mistral-large-2':     row(mistral, 'mistral-large-123b', 'mistral-large-instruct-2407', 'mistral-large-instruct-2411'),
  'mixtral-8x7b':        row(mistral, 'mixtral-8x7b-v0.1', 'mixtral-8x7b-instruct-v0.1'),
  'mixtral-8x22b':       row(mistral, 'mixtral-8x22b-v0.1', 'mixtral-8x22b-instruct-v0.1'),
  'qwen2.5-0.5b':        row(qwen),
  'qwen2.5-1.5b':        row(qwen),
  'qwen2.5-3b':          row(qwen),
  'qwen2.5-7b':          row(qwen, 'deepseek-r1-distill-qwen-7b', 'deepseek-r1-7b'),
  'qwen2.5-14b':         row(qwen, 'deepseek-r1-distill-qwen-14b', 'deepseek-r1-14b'),
  'qwen2.5-32b':         row(qwen, 'deepseek-r1-distill-qwen-32b', 'deepseek-r1-32b', 'qwq-32b'),
  'qwen2.5-72b':         row(qwen),
  'qwen3-0.6b':          row(qwen),
  'qwen3-1.7b':          row(qwen),
  'qwen3-4b':            row(qwen),
  'qwen3-8b':            row(qwen),
  'qwen3-14b':           row(qwen),
  'qwen3-32b':           row(qwen),
  'qwen3-32b-fp8':       row(qwen),
  'qwen3-32b-nvfp4':     row(qwen),
  'qwen3-30b-a3b':       row(qwen),
  'qwen3-235b-a22b':     row(qwen),
  'qwen3-235b-a22b-fp8': row(qwen),
  'qwen3-next-80b-a3b':  row(qwen, 'qwen3-next'),
  'qwen3.5-35b-a3b':     row(qwen),
  'qwen3.5-397b-a17b':   row(qwen),
  'deepseek-r1-distill-qwen-1.5b': row(qwen, 'deepseek-r1-1.5b'),
  'deepseek-v2':         row(deepseek, 'deepseek-v2-chat'),
  'deepseek-v2-lite':    row(deepseek, 'deepseek-v2-lite-chat'),
  'deepseek-v3':         row(deepseek, 'deepseek-v3-base', 'deepseek-v3-0324', 'deepseek-v3.1'),
  'deepseek-v3-nvfp4':   row(deepseek, 'deepseek-v3-0324-nvfp4'),
  'deepseek-r1':         row(deepseek, 'deepseek-r1-0528', 'deepseek-r1-671b'),
  'deepseek-v3.2':       row(deepseek, 'deepseek-v3.2-exp'),
  'kimi-k2':             row(deepseek, 'kimi-k2-base', 'kimi-k2-instruct'),
  'kimi-k2.5':           row(deepseek),
  'gpt-oss-20b':         row(gptOss),
  'gpt-oss-120b':        row(gptOss),
  'gemma-2b':            row(gemma),
  'gemma-7b':            row(gemma),
  'gemma-2-2b':          row(gemma),
  'gemma-2-9b':          row(gemma),
  'gemma-2-27b':         row(gemma),
  'gemma-3-1b':          row(gemma),
  'gemma-3-4b':          row(gemma),
  'gemma-3-12b':         row(gemma),
  'gemma-3-27b':         row(gemma),
  'gemma-4-26b-a4b':     row(gemma),
  'phi-1.5':             row(phi, 'phi-1-5'),
  'phi-2':               row(phi),
  'phi-3-mini':          row(phi, 'phi-3-mini-4k'),
  'phi-3-mini-128k':     row(phi, 'phi-3.5-mini', 'phi-3.5-mini-instruct'),
  'phi-3-medium':        row(phi, 'phi-3-medium-4k'),
  'phi-4':               row(phi),
  'phi-4-mini':          row(phi, 'phi-4-mini-instruct', 'phi-4-mini-reasoning'),
  'nemotron-3-nano':     row(nemotron, 'nemotron-3-nano-30b-a3b', 'nvidia-nemotron-3-nano-30b-a3b'),
  'conformer-ctc-s':     row(speech),
  'conformer-ctc-m':     row(speech),
  'conformer-ctc-l':     row(speech),
  'squeezeformer-xs':    row(speech),
  'squeezeformer-s':     row(speech),
  'squeezeformer-sm':    row(speech),
  'squeezeformer-m':     row(speech),
  'squeezeformer-ml':    row(speech),
  'squeezeformer-l':     row(speech),
  'whisper-tiny':        row(whisper),
  'whisper-base':        row(whisper),
  'whisper-small':       row(whisper),
  'whisper-medium':      row(whisper),
  'whisper-large-v2':    row(whisper, 'whisper-large'),
  'whisper-large-v3':    row(whisper),
  'whisper-large-v3-turbo': row(whisper, 'whisper-turbo'),
} satisfies Record<string, Row>

export type ModelName = keyof typeof table
export const modelNames = Object.keys(table) as ModelName[]

/** Other spellings of a model that `keys` does not equate with its name. */
export function modelAliases(name: ModelName): readonly string[] {
  return table[name].aliases
}

/** What a tuned model adds to the name of the one it was tuned from. */
const tunings = /(?<=\d[bmke])(-(hf|base|chat|instruct|it|pt|thinking|deduped|bf16))+$/

/**
 * The forms under which a spelling is looked up: without the organization, case, spaces and underscores, and a hyphen
 * before a number (`gpt2` is `gpt-2`); then without a tuning after the size (`llama-2-7b-chat-hf` is `llama-2-7b`).
 */
export function keys(spelling: string): [string, string] {
  const word = spelling.trim().toLowerCase().replace(/^.*\//, '')
  const key = word.replace(/[\s_:]+/g, '-').replace(/(?<=[a-z])-(?=\d)/g, '')
  return [key, key.replace(tunings, '')]
}

/** The name of the model that a name or alias means, in any spelling; undefined where there is none. */
export function modelName(spelling: string): ModelName | undefined {
  if (Object.hasOwn(table, spelling)) return spelling as ModelName
  const [key, plain] = keys(spelling)
  return named(key) ?? named(plain)
}

function named(key: string): ModelName | undefined {
  return modelNames.find((name) => [name, ...table[name].aliases].some((known) => keys(known)[0] === key))
}

/** The model with this name or alias, in any spelling. Throws RangeError. */
export async function loadModel(spelling: string): Promise<Architecture> {
  const name = modelName(spelling)
  if (name === undefined) throw new RangeError(unknownModel(spelling))
  const [{ presets }, { loadConfig }] = await Promise.all([table[name].load(), import('./import/read.ts')])
  return loadConfig(presets[name], name)
}

function unknownModel(spelling: string): string {
  const names = new Map(modelNames.map((name) => [keys(name)[0], name]))
  const close = nearest(keys(spelling)[1], [...names.keys()]).map((key) => names.get(key))
  const hint = close.length > 0 ? ` Did you mean ${close.join(', ')}?` : ''
  return `Expected the name of a model, got '${spelling}'.${hint} \`memwall list models\` lists all ${modelNames.length}.`
}
