// What a replica can serve at most: its throughput when there is always another request, by simulation.
import { seeded } from '../../model/random.ts'
import { Batch } from './batch.ts'
import type { ReplicaKind } from './fleet.ts'
import type { Lengths } from './lengths.ts'
import { staticRouter } from './router.ts'
import { simulate, streamsOf } from './simulator.ts'
import { closedSource } from './source.ts'
import type { StepTime } from './step-time.ts'

/** Generations of a full batch that are simulated. The first ones fill it; the last one leaves without being replaced. */
const generations = 6
const filling = 2

/** Requests per second of one replica that is never idle. */
export function saturationRate(kind: ReplicaKind, prompt: Lengths, output: Lengths, seed = 1): number {
  const streams = streamsOf(seed, seeded)
  const clients = Math.max(1, kind.most(prompt.mean, output.mean))
  const ends: number[] = []
  const until = { requests: generations * clients }
  simulate({
    source: closedSource(clients, { prompt, output: staggered(output, clients) }, until, streams),
    replicas: [kind.serving(0, streams())],
    router: staticRouter(),
    onEnd: (r, fate) => {
      if (fate === 'completed') ends.push(r.last)
    },
  })
  const count = (generations - 1 - filling) * clients
  const last = filling * clients + count
  if (ends.length < last) {
    throw new RangeError(
      `load: a replica of ${kind.name} cannot serve ${prompt.label} tokens in and ${output.label} out`,
    )
  }
  return count / ((ends[last - 1] as number) - (ends[last - count - 1] as number))
}

/** The first `clients` answers are cut anywhere, so that sequences do not come and go together. */
function staggered(output: Lengths, clients: number): Lengths {
  return {
    ...output,
    draw: (random) => {
      const draw = output.draw(random)
      let drawn = 0
      return () => (drawn++ < clients ? Math.ceil(draw() * (1 - random())) : draw())
    },
  }
}

/** The largest batch from 1 to `most` that fits, where smaller ones do too; 0 where not even one does. */
export function feasibleBatch(fits: (batch: number) => boolean, most = 65536): number {
  if (!fits(1)) return 0
  let [low, high] = [1, 2]
  while (high <= most && fits(high)) [low, high] = [high, high * 2]
  high = Math.min(high, most + 1)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle
  }
  return low
}

/**
 * Whether each request of a batch meets the deadline while as many come as go: its output's steps, each with the batch
 * decoding half way and its share of prompts, take at most `deadline` seconds.
 */
export function meets(time: StepTime, prompt: number, output: number, deadline: number): (batch: number) => boolean {
  return (batch) => output * steadyStep(time, batch, prompt, output) <= deadline
}

/** Seconds of a step of a batch in which each sequence leaves after `output` steps and another takes its place. */
export function steadyStep(time: StepTime, batch: number, prompt: number, output: number): number {
  const moments = new Batch()
  moments.decode(prompt + output / 2, batch)
  const whole = Math.floor(batch / output)
  const share = batch / output - whole
  const at = (prompts: number) => {
    moments.clear()
    moments.decode(prompt + output / 2, batch)
    for (let i = 0; i < prompts; i++) moments.read(0, prompt, true)
    return time.seconds(moments)
  }
  return (1 - share) * at(whole) + (share > 0 ? share * at(whole + 1) : 0)
}
