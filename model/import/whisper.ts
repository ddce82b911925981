// Whisper (arXiv 2212.04356): 100 frames of mel features a second, two convolutions that halve them, an encoder of fixed
// length and a decoder. Keys have no bias; both tables of positions are in the checkpoint.
import type { Audio, Module, Stack, TemporalConvolution } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import { sideHeads, sideMlp } from './bart.ts'
import { crossAttention, type Draft, embedding, layerNorm, layersOf, norm, preNorm, selfAttention } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { tied } from './shape.ts'

/** Windows of 25 ms every 10 ms, of which github.com/openai/whisper, whisper/audio.py, drops the last. */
const audio: Audio = { sampleRate: 16_000, window: 400, hop: 160, framing: 'all-but-last' }
/** The second convolution has stride 2. */
const framesPerToken = 2

const bias = { query: true, key: false, value: true, output: true }

function convolution(name: string, input: number, output: number, stride: number): TemporalConvolution {
  return {
    kind: 'temporal-convolution',
    name,
    channels: { input, output },
    groups: 1,
    bias: true,
    time: { kernel: 3, stride, padding: [1, 1] },
    activation: 'gelu',
  }
}

function encoderStack(f: Fields, source: number): Stack {
  const h = sideHeads(f, 'encoder')
  const attention = selfAttention(h, { bias, rotary: 0, causal: false })
  const mlp = sideMlp(f, 'encoder', h.width)
  const bins = f.count('num_mel_bins')
  return {
    name: 'encoder',
    width: h.width,
    input: [
      convolution('convolution-1', bins, h.width, 1),
      convolution('convolution-2', h.width, h.width, framesPerToken),
      embedding([{ name: 'positions', rows: source, width: h.width, lookups: 1 }]),
    ],
    groups: groupLayers(
      layersOf(f.count('encoder_layers', limits.layers), () => preNorm(layerNorm, h.width, attention, mlp)),
    ),
    output: [norm('final-norm', h.width, layerNorm)],
  }
}

function decoderStack(f: Fields, target: number): Stack {
  const h = sideHeads(f, 'decoder')
  const { width } = h
  const rows = f.count('vocab_size', limits.vocabulary)
  const modules: Module[] = [
    norm('input-norm', width, layerNorm),
    selfAttention(h, { bias, rotary: 0 }),
    norm('cross-norm', width, layerNorm),
    crossAttention(h, width, { bias }),
    norm('post-attention-norm', width, layerNorm),
    sideMlp(f, 'decoder', width),
  ]
  return {
    name: 'decoder',
    width,
    input: [
      embedding([
        { name: 'tokens', rows, width, lookups: 1 },
        { name: 'positions', rows: target, width, lookups: 1 },
      ]),
    ],
    groups: groupLayers(layersOf(f.count('decoder_layers', limits.layers), () => modules)),
    output: [
      norm('final-norm', width, layerNorm),
      { kind: 'head', name: 'lm-head', width, vocabulary: rows, tied: tied(f, true), bias: false },
    ],
  }
}

export function whisper(f: Fields): Draft {
  const source = f.countOr('max_source_positions', 1500, 'default of the family', limits.tokens)
  const target = f.countOr('max_target_positions', 448, 'default of the family', limits.tokens)
  return {
    kind: 'encoder-decoder',
    positions: target,
    sourceTokens: source,
    tokensPerSecond: audio.sampleRate / audio.hop / framesPerToken,
    audio,
    stacks: [encoderStack(f, source), decoderStack(f, target)],
  }
}
