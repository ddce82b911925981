// The presets against published parameter counts, the architectures they make, and the names by which they are found.
// The published figures live here only: presets and importer get there from shapes.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mainStack } from '../../model/architecture.ts'
import { keys, loadModel, modelAliases, modelName, modelNames } from '../../model/catalog.ts'
import { parameters } from '../../model/parameters.ts'
import type { Presets } from '../../model/presets/sizes.ts'

const folder = new URL('../../model/presets/', import.meta.url)

// hub: `safetensors.total` of the model on the Hugging Face Hub, or its index's total size over the bytes per weight.
// class: what `num_parameters()` of the released class gives (Transformers or timm). card: the model card. ollama:
// `general.parameter_count`. arXiv numbers: a table of that paper. Whole counts of multimodal models are left out.
// biome-ignore format: one model per row, columns aligned
const published = [
  ['bert-base',               109_482_240, 'class BertModel'],
  ['bert-large',              335_141_888, 'class BertModel'],
  ['roberta-base',            124_645_632, 'class RobertaModel'],
  ['roberta-large',           355_359_744, 'class RobertaModel'],
  ['distilbert-base',          66_362_880, 'class DistilBertModel'],
  ['electra-base',            108_891_648, 'class ElectraModel'],
  ['electra-large',           334_092_288, 'class ElectraModel'],
  ['vit-tiny',                  5_717_416, 'timm deit_tiny_patch16_224'],
  ['vit-small',                22_050_664, 'timm deit_small_patch16_224'],
  ['vit-base',                 86_567_656, 'torchvision vit_b_16'],
  ['vit-large',               304_326_632, 'torchvision vit_l_16'],
  ['vit-huge',                632_045_800, 'torchvision vit_h_14 at 224'],
  ['gpt-2-small',             124_439_808, 'class GPT2LMHeadModel'],
  ['gpt-2-medium',            354_823_168, 'class GPT2LMHeadModel'],
  ['gpt-2-large',             774_030_080, 'class GPT2LMHeadModel'],
  ['gpt-2-xl',              1_557_611_200, 'class GPT2LMHeadModel'],
  ['gpt-3',               174_600_000_000, '2005.14165 table D.1'],
  ['gpt-j-6b',              6_050_882_784, 'class GPTJForCausalLM'],
  ['gpt-neox-20b',         20_554_567_680, 'card'],
  ['pythia-70m',               70_426_624, 'card'],
  ['pythia-160m',             162_322_944, 'card'],
  ['pythia-410m',             405_334_016, 'card'],
  ['pythia-1b',             1_011_781_632, 'card'],
  ['pythia-1.4b',           1_414_647_808, 'card'],
  ['pythia-2.8b',           2_775_208_960, 'card'],
  ['pythia-6.9b',           6_857_302_016, 'card'],
  ['pythia-12b',           11_846_072_320, 'card'],
  ['bloom-560m',              559_214_592, 'hub'],
  ['bloom-1.1b',            1_065_314_304, 'hub'],
  ['bloom-1.7b',            1_722_408_960, 'hub'],
  ['bloom-3b',              3_002_557_440, 'hub'],
  ['bloom-7.1b',            7_069_016_064, 'hub'],
  ['bloom-176b',          176_247_271_424, 'card'],
  ['t5-small',                 60_506_624, 'hub'],
  ['t5-base',                 222_903_552, 'hub'],
  ['t5-large',                737_668_096, 'hub'],
  ['t5-3b',                 2_851_598_336, 'class T5ForConditionalGeneration'],
  ['t5-11b',               11_307_321_344, 'class T5ForConditionalGeneration'],
  ['flan-t5-small',            76_961_152, 'class T5ForConditionalGeneration'],
  ['flan-t5-base',            247_577_856, 'class T5ForConditionalGeneration'],
  ['flan-t5-large',           783_150_080, 'class T5ForConditionalGeneration'],
  ['flan-t5-xl',            2_849_757_184, 'class T5ForConditionalGeneration'],
  ['flan-t5-xxl',          11_135_332_352, 'class T5ForConditionalGeneration'],
  ['mt5-small',               300_176_768, 'class MT5ForConditionalGeneration'],
  ['mt5-base',                582_401_280, 'class MT5ForConditionalGeneration'],
  ['bart-base',               139_420_416, 'class BartModel'],
  ['bart-large',              406_291_456, 'class BartModel'],
  ['opt-125m',                125_239_296, 'class OPTForCausalLM'],
  ['opt-350m',                331_196_416, 'class OPTForCausalLM'],
  ['opt-1.3b',              1_315_758_080, 'class OPTForCausalLM'],
  ['opt-2.7b',              2_651_596_800, 'class OPTForCausalLM'],
  ['opt-6.7b',              6_658_473_984, 'class OPTForCausalLM'],
  ['opt-13b',              12_853_473_280, 'class OPTForCausalLM'],
  ['opt-30b',              29_974_540_288, 'class OPTForCausalLM'],
  ['opt-66b',              66_000_000_000, '2205.01068 table 1'],
  ['opt-175b',            175_000_000_000, '2205.01068 table 1'],
  ['falcon-180b',         180_000_000_000, 'card'],
  ['llama-7b',              6_738_415_616, 'hub'],
  ['llama-13b',            13_015_864_320, 'hub'],
  ['llama-30b',            32_528_943_616, 'class LlamaForCausalLM'],
  ['llama-65b',            65_285_660_672, 'class LlamaForCausalLM'],
  ['llama-2-7b',            6_738_415_616, 'hub'],
  ['llama-2-13b',          13_015_864_320, 'hub'],
  ['llama-2-70b',          68_976_648_192, 'hub'],
  ['codellama-34b',        33_743_970_304, 'hub'],
  ['tinyllama',             1_100_048_384, 'hub'],
  ['smollm2-135m',            134_515_008, 'hub'],
  ['smollm2-360m',            361_821_120, 'hub'],
  ['smollm2-1.7b',          1_711_376_384, 'hub'],
  ['internlm-20b',         20_000_000_000, 'card'],
  ['llama-3-8b',            8_030_261_248, 'hub'],
  ['llama-3-70b',          70_553_706_496, 'hub'],
  ['llama-3.1-8b',          8_030_261_248, 'hub'],
  ['llama-3.1-405b',      405_853_388_800, 'hub'],
  ['llama-3.2-1b',          1_235_814_400, 'hub'],
  ['llama-3.2-3b',          3_212_749_824, 'hub'],
  ['llama-3.3-70b',        70_553_706_496, 'hub'],
  ['mistral-7b',            7_241_732_096, 'hub'],
  ['mistral-7b-v0.3',       7_248_023_552, 'hub'],
  ['mistral-nemo',         12_247_782_400, 'hub'],
  ['mistral-small-24b',    23_572_403_200, 'hub'],
  ['mistral-large-2',     123_000_000_000, 'card'],
  ['mixtral-8x7b',         46_702_792_704, 'hub'],
  ['mixtral-8x22b',       140_630_071_296, 'hub'],
  ['qwen2.5-0.5b',            494_032_768, 'hub'],
  ['qwen2.5-1.5b',          1_543_714_304, 'hub'],
  ['qwen2.5-3b',            3_085_938_688, 'hub'],
  ['qwen2.5-7b',            7_615_616_512, 'hub'],
  ['qwen2.5-14b',          14_770_033_664, 'ollama'],
  ['qwen2.5-32b',          32_763_876_352, 'hub'],
  ['qwen2.5-72b',          72_706_203_648, 'hub'],
  ['qwen3-4b',              4_022_468_096, 'hub'],
  ['qwen3-8b',              8_190_735_360, 'hub'],
  ['qwen3-32b',            32_762_123_264, 'hub'],
  ['qwen3-30b-a3b',        30_532_122_624, 'hub'],
  ['qwen3-235b-a22b',     235_093_634_560, 'hub'],
  ['qwen3-next-80b-a3b',   80_000_000_000, 'card, without multi-token prediction'],
  ['qwen3.5-35b-a3b',      35_000_000_000, 'card'],
  ['qwen3.5-397b-a17b',   397_000_000_000, 'card'],
  ['deepseek-v2-lite',     15_706_484_224, 'hub'],
  ['deepseek-v2',         235_741_434_880, 'hub'],
  ['deepseek-v3',         671_026_419_200, 'ollama'],
  ['kimi-k2',           1_026_408_235_864, 'hub'],
  ['gpt-oss-20b',          20_914_757_184, 'hub'],
  ['gpt-oss-120b',        116_829_156_672, 'hub'],
  ['gemma-2b',              2_506_172_416, 'hub'],
  ['gemma-7b',              8_537_680_896, 'hub'],
  ['gemma-2-2b',            2_614_341_888, 'hub'],
  ['gemma-2-9b',            9_241_705_984, 'hub'],
  ['gemma-2-27b',          27_227_128_320, 'hub'],
  ['gemma-3-1b',              999_885_952, 'hub'],
  ['gemma-3-4b',            3_884_000_000, '2503.19786 table 1, without the vision encoder'],
  ['gemma-3-12b',          11_771_000_000, '2503.19786 table 1, without the vision encoder'],
  ['gemma-3-27b',          27_016_000_000, '2503.19786 table 1, without the vision encoder'],
  ['gemma-4-26b-a4b',      25_200_000_000, 'card'],
  ['phi-2',                 2_779_683_840, 'hub'],
  ['phi-3-mini',            3_821_079_552, 'hub'],
  ['phi-3-medium',         13_960_238_080, 'hub'],
  ['phi-4',                14_659_507_200, 'hub'],
  ['phi-4-mini',            3_836_021_760, 'hub'],
  ['nemotron-3-nano',      31_600_000_000, 'card'],
  ['llama-4-scout',       108_641_793_536, 'hub, with 0.9e9 of vision'],
  ['llama-4-maverick',    400_000_000_000, 'card'],
  // With batch norm's kept means and variances; of Conformer-CTC, published figures are only recalled.
  ['conformer-ctc-s',           8_734_304, 'source of kssteven418/Squeezeformer, by hand'],
  ['conformer-ctc-m',          27_369_088, 'source of kssteven418/Squeezeformer, by hand'],
  ['conformer-ctc-l',         121_520_256, 'source of kssteven418/Squeezeformer, by hand'],
  ['squeezeformer-xs',          9_000_000, '2310.11230 table 2'],
  ['squeezeformer-s',          18_600_000, '2310.11230 table 2'],
  ['squeezeformer-sm',         28_200_000, '2310.11230 table 2'],
  ['squeezeformer-m',          55_600_000, '2310.11230 table 2'],
  ['squeezeformer-ml',        125_100_000, '2310.11230 table 2'],
  ['squeezeformer-l',         236_300_000, '2310.11230 table 2'],
  ['whisper-tiny',             37_760_640, 'hub'],
  ['whisper-base',             72_593_920, 'hub'],
  ['whisper-small',           241_734_912, 'hub'],
  ['whisper-medium',          763_857_920, 'hub'],
  ['whisper-large-v2',      1_543_304_960, 'hub'],
  ['whisper-large-v3',      1_543_490_560, 'hub'],
  ['whisper-large-v3-turbo',  808_878_080, 'hub'],
] as const

test.each(published)('%s has the published %d parameters (%s)', async (name, count) => {
  const { total } = parameters(await loadModel(name))
  // Rounded figures are met within 1 %; counted ones but for buffers, which some count.
  const tolerance = count % 100_000 === 0 ? 0.01 : name === 'llama-4-scout' ? 0.01 : 1e-5
  expect(Math.abs(total / count - 1)).toBeLessThanOrEqual(tolerance)
})

// Parameters that a token passes through, in billions as published: with head and embedding, or with the head alone.
// biome-ignore format: one model per row, columns aligned
test.each([
  ['mixtral-8x7b',    12.88, 'both', '2401.04088'],
  ['qwen3-30b-a3b',    3.3,  'both', 'card'],
  ['qwen3-235b-a22b', 22,    'both', 'card'],
  ['deepseek-v2',     21,    'head', '2405.04434'],
  ['deepseek-v3',     37,    'head', '2412.19437'],
  ['kimi-k2',         32,    'head', 'card'],
  ['gpt-oss-20b',      3.61, 'head', '2508.10925 table 1'],
  ['gpt-oss-120b',     5.13, 'head', '2508.10925 table 1'],
  ['llama-4-scout',   17,    'both', 'card'],
])('%s passes a token through %d billion parameters (%s)', async (name, billions, counted) => {
  const { active, head, embedding } = parameters(await loadModel(name))
  const count = active + head + (counted === 'both' ? embedding : 0)
  expect(Math.abs(count / (billions * 1e9) - 1)).toBeLessThan(0.03)
})

test.each(modelNames)('%s is an architecture of that name, counted in finite numbers', async (name) => {
  const model = await loadModel(name)
  expect(model.name).toBe(name)
  const { total, active, embedding, head } = parameters(model)
  for (const count of [total, active, embedding, head]) expect(Number.isSafeInteger(Math.round(count))).toBe(true)
  expect(active).toBeGreaterThan(0)
  expect(total).toBeGreaterThanOrEqual(active + head)
})

test('presets say nothing that is left unread, but for widths of dense layers where every layer has experts', async () => {
  const ignored = await Promise.all(modelNames.map(async (name) => (await loadModel(name)).reading.ignored))
  expect([...new Set(ignored.flat())].sort()).toEqual(['intermediate_size', 'intermediate_size_mlp'])
})

test('the catalogue lists the presets of every family file, each once', async () => {
  const files = readdirSync(folder).filter((file) => file !== 'sizes.ts')
  const families = await Promise.all(files.map(async (file) => (await import(new URL(file, folder).href)) as Family))
  const names = families.flatMap(({ presets }) => Object.keys(presets))
  expect([...modelNames].sort()).toEqual(names.sort())
  expect(names.length).toBeGreaterThanOrEqual(70)
})

interface Family {
  readonly presets: Presets
}

test('no family is loaded before it is asked for', () => {
  const source = readFileSync(new URL('../../model/catalog.ts', import.meta.url), 'utf8')
  expect(source.match(/^import (?!type ).*/gm)).toEqual(["import { nearest } from './nearest.ts'"])
})

test('names and aliases are lower-case, unique, and each leads to its model', () => {
  const spellings = modelNames.flatMap((name) => [name, ...modelAliases(name)].map((spelling) => ({ spelling, name })))
  expect(new Set(spellings.map(({ spelling }) => keys(spelling)[0])).size).toBe(spellings.length)
  for (const { spelling, name } of spellings) {
    expect(spelling).toMatch(/^[a-z0-9.]+(-[a-z0-9.]+)*$/)
    expect(modelName(spelling)).toBe(name)
  }
})

// Spellings of public measurements, of the Hugging Face Hub, of other tools, and of people.
test.each([
  ['CodeLlama 34B', 'codellama-34b'],
  ['Llama 33B', 'llama-30b'],
  ['Llama-2-7B', 'llama-2-7b'],
  ['Llama2 70B', 'llama-2-70b'],
  ['llama2-7b', 'llama-2-7b'],
  ['OpenLlama 3B', 'openllama-3b'],
  ['TinyLlama 1.1B', 'tinyllama'],
  ['codellama/CodeLlama-34b-Instruct-hf', 'codellama-34b'],
  ['internlm/internlm-20b', 'internlm-20b'],
  ['meta-llama/Llama-2-7b-hf', 'llama-2-7b'],
  ['meta-llama/Llama-2-13b-chat-hf', 'llama-2-13b'],
  ['microsoft/phi-2', 'phi-2'],
  ['Llama-3.3-70B', 'llama-3.3-70b'],
  ['DeepSeek R1 14b', 'qwen2.5-14b'],
  ['DeepSeek R1 671b', 'deepseek-r1'],
  ['Llama 3.1:405b', 'llama-3.1-405b'],
  ['meta-llama/Meta-Llama-3.1-8B-Instruct', 'llama-3.1-8b'],
  ['gpt-oss 20b', 'gpt-oss-20b'],
  ['Qwen/Qwen3-235B-A22B-FP8', 'qwen3-235b-a22b-fp8'],
  ['Qwen/Qwen3-30B-A3B-Base', 'qwen3-30b-a3b'],
  ['deepseek-ai/DeepSeek-V3', 'deepseek-v3'],
  ['openai/gpt-oss-120b', 'gpt-oss-120b'],
  ['togethercomputer/LLaMA-2-7B-32K', 'llama-2-7b-32k'],
  ['Llama-2-7B-32K-Instruct', 'llama-2-7b-32k'],
  ['lmsys/longchat-7b-v1.5-32k', 'longchat-7b-32k'],
  ['LargeWorldModel/LWM-Text-Chat-1M', 'lwm-text-chat'],
  ['EleutherAI/llemma_34b', 'llemma-34b'],
  ['mistralai/Mixtral-8x7B-Instruct-v0.1', 'mixtral-8x7b'],
  ['google-bert/bert-base-uncased', 'bert-base'],
  ['google/gemma-2-9b-it', 'gemma-2-9b'],
  ['openai/whisper-large-v3', 'whisper-large-v3'],
  ['Squeezeformer-SM', 'squeezeformer-sm'],
  ['Conformer-CTC-M', 'conformer-ctc-m'],
  ['nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16', 'nemotron-3-nano'],
  ['gpt2', 'gpt-2-small'],
  ['gpt2-xl', 'gpt-2-xl'],
  ['gpt3', 'gpt-3'],
  ['vit_b_16', 'vit-base'],
  ['T5_Large', 't5-large'],
])('%s is %s', (spelling, name) => expect(modelName(spelling)).toBe(name))

test('a release in another format is another model', () => {
  expect(modelName('Qwen/Qwen3-32B-FP8')).toBe('qwen3-32b-fp8')
  expect(modelName('nvidia/Qwen3-32B-NVFP4')).toBe('qwen3-32b-nvfp4')
  expect(modelName('Qwen/Qwen3-14B-FP8')).toBeUndefined()
})

test.each([
  ['gpt-oss-120b', { experts: 'mxfp4' }, undefined],
  ['deepseek-v3', { attention: 'fp8', ffn: 'fp8', experts: 'fp8' }, 'fp8'],
  ['deepseek-v3-nvfp4', { ffn: 'nvfp4', experts: 'nvfp4' }, 'nvfp4'],
  ['kimi-k2.5', { experts: 'int4' }, undefined],
  ['qwen3-32b-fp8', { attention: 'fp8', ffn: 'fp8' }, 'fp8'],
  ['qwen3-32b-nvfp4', { attention: 'nvfp4', ffn: 'nvfp4' }, 'nvfp4'],
  ['llama-3.1-8b', {}, undefined],
])('%s is released in %j', async (spelling, formats, activations) => {
  const model = await loadModel(spelling)
  const names = Object.fromEntries(Object.entries(model.formats).map(([role, format]) => [role, format.name]))
  expect([model.dtype, names, model.activations]).toEqual(['bf16', formats, activations])
})

// How many layers see how many tokens.
test.each([
  ['llama-3.1-8b', { full: 32 }],
  ['mistral-7b', { 'window 4096': 32 }],
  ['mistral-7b-v0.3', { full: 32 }],
  ['gemma-2-9b', { 'window 4096': 21, full: 21 }],
  ['gemma-3-27b', { 'window 1024': 52, full: 10 }],
  ['gemma-4-26b-a4b', { 'window 1024': 25, full: 5 }],
  ['gpt-oss-20b', { 'window 128': 12, full: 12 }],
  ['llama-4-scout', { 'chunk 8192': 36, full: 12 }],
  ['qwen3-next-80b-a3b', { full: 12 }],
  ['nemotron-3-nano', { full: 6 }],
])('%s has layers of %j', async (spelling, expected) => {
  const seen: Record<string, number> = {}
  for (const { modules, layers } of mainStack(await loadModel(spelling)).groups)
    for (const { reach } of modules.filter((m) => m.kind === 'attention')) {
      const label = reach.kind === 'full' ? 'full' : `${reach.kind} ${reach.tokens}`
      seen[label] = (seen[label] ?? 0) + layers.length
    }
  expect(seen).toEqual(expected)
})

test('an unknown model is an error that names the nearest', async () => {
  await expect(loadModel('meta-llama/Lama-2-7b-hf')).rejects.toThrow(
    /got 'meta-llama\/Lama-2-7b-hf'\. Did you mean llama-2-7b, /,
  )
  await expect(loadModel('constructor')).rejects.toThrow(/^Expected the name of a model, got 'constructor'/)
})
