// Vision transformers (arXiv 2010.11929): an image cut into patches by one convolution, a class token, a BERT-like
// pre-norm encoder.
import type { Convolution, Module } from '../architecture.ts'
import {
  biases,
  type Draft,
  embedding,
  feedForward,
  layerNorm,
  layersOf,
  norm,
  preNorm,
  selfAttention,
} from './blocks.ts'
import { encoder, evenHeads, labels, named, perSequence } from './encoder.ts'
import type { Fields } from './fields.ts'
import { activation, layerTotal } from './shape.ts'

/** Height and width of an image or a patch: one number for both, or two. */
function area(f: Fields, key: string, fallback: number): readonly [number, number] {
  if (!Array.isArray(f.raw(key))) {
    const side = f.countOr(key, fallback, 'default of the family')
    return [side, side]
  }
  const [height, width, ...rest] = f.counts(key) ?? []
  if (height === undefined || width === undefined || rest.length > 0) throw f.error(`${key}: expected height and width`)
  return [height, width]
}

function patches(image: readonly [number, number], patch: readonly [number, number], f: Fields): number {
  const count = Math.floor(image[0] / patch[0]) * Math.floor(image[1] / patch[1])
  if (count === 0) throw f.error(`patch_size: ${patch.join(' × ')} does not fit an image of ${image.join(' × ')}`)
  f.size('patch_size', patch[0] * patch[1])
  return f.size('image_size', count)
}

/** Class token and, for DeiT, a distillation token. */
function vitLike(f: Fields, extraTokens: number): Draft {
  const h = evenHeads(f)
  const patch = area(f, 'patch_size', 16)
  const images = patches(area(f, 'image_size', 224), patch, f)
  const tokens = images + extraTokens
  const convolution: Convolution = {
    kind: 'convolution',
    name: 'patches',
    channels: { input: f.countOr('num_channels', 3, 'default of the family'), output: h.width },
    kernel: patch,
    groups: 1,
    bias: true,
    inputPerToken: (patch[0] * patch[1] * images) / tokens,
    outputPerToken: images / tokens,
  }
  const qkv = f.flag('qkv_bias', true)
  const attention = selfAttention(h, { bias: biases(qkv, true), rotary: 0, causal: false })
  const mlp = feedForward(h.width, f.count('intermediate_size'), {
    gated: false,
    bias: true,
    activation: activation(f, ['hidden_act'], 'gelu'),
  })
  return encoder({
    width: h.width,
    input: [
      convolution,
      embedding([
        { name: 'class', rows: extraTokens, width: h.width, lookups: 0 },
        { name: 'positions', rows: tokens, width: h.width, lookups: 1 },
      ]),
    ],
    layers: layersOf(layerTotal(f), () => preNorm(layerNorm, h.width, attention, mlp)),
    output: [norm('final-norm', h.width, layerNorm), ...vitOutput(f, h.width, extraTokens)],
    sourceTokens: tokens,
  })
}

/** A classifier, else the base model's pooler; DeiT with a teacher has a classifier for each of its two tokens. */
function vitOutput(f: Fields, width: number, extraTokens: number): Module[] {
  if (named(f, /ForMaskedImageModeling$/, false)) return []
  if (!named(f, /ForImageClassification/, true)) return [perSequence('pooler', width, width)]
  const classifier = perSequence('classifier', width, labels(f))
  const taught = extraTokens > 1 && named(f, /WithTeacher$/, false)
  return taught ? [classifier, { ...classifier, name: 'distillation-classifier' }] : [classifier]
}

export function vit(f: Fields): Draft {
  return vitLike(f, 1)
}

export function deit(f: Fields): Draft {
  return vitLike(f, 2)
}
