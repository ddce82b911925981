// Double DQN (van Hasselt et al. 2016) on TensorFlow.js: the online network chooses the next action, the target network
// values it. The library is passed in: nothing here loads it.
import type { Random } from '../../../model/random.ts'
import type { Layer } from './policy.ts'
import type { Sample } from './replay.ts'

interface Tensor {
  readonly shape: number[]
  readonly size: number
  dataSync(): ArrayLike<number>
  clone(): Tensor
}

interface Variable extends Tensor {
  readonly name: string
  assign(value: Tensor): void
  dispose(): void
}

interface Named {
  readonly name: string
  readonly tensor: Tensor
}

interface Optimizer {
  learningRate: number
  applyGradients(gradients: Named[]): void
  getWeights(): Promise<Named[]>
  setWeights(weights: Named[]): Promise<void>
  dispose(): void
}

type Values = ArrayLike<number>

/** What is used of TensorFlow.js. Its own declarations bring globals of another WebGPU than ours. */
export interface TensorFlow {
  tensor(values: Values, shape: number[], dtype?: 'int32'): Tensor
  variable(value: Tensor): Variable
  tidy<T>(work: () => T): T
  add(a: Tensor, b: Tensor): Tensor
  mul(a: Tensor, b: Tensor | number): Tensor
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor
  sub(a: Tensor, b: Tensor): Tensor
  relu(a: Tensor): Tensor
  step(a: Tensor): Tensor
  reshape(a: Tensor, shape: number[]): Tensor
  clipByValue(a: Tensor, least: number, most: number): Tensor
  argMax(a: Tensor, axis: number): Tensor
  oneHot(indices: Tensor, depth: number): Tensor
  sum(a: Tensor, axis: number): Tensor
  readonly train: { adam(rate: number): Optimizer }
}

export interface Hyper {
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[]
  readonly rate: number
  /** Discount of what comes after, per request. */
  readonly gamma: number
  /** What a missed deadline costs, in shares of a request's best worth. */
  readonly penalty: number
  /** Part of the deadline over which what is still in time is worth less and less in training. */
  readonly margin: number
  readonly batch: number
  /** Training steps between two copies of the online network into the target. */
  readonly sync: number
  readonly replay: number
}

export const usualHyper: Hyper = {
  hidden: [64, 64],
  rate: 1e-3,
  gamma: 0.9,
  penalty: 6,
  margin: 0.15,
  batch: 64,
  sync: 500,
  replay: 50_000,
}

/** Weights of a learner, its target and its optimizer: all that training goes on from. */
export interface LearnerState {
  readonly online: readonly (readonly number[])[]
  readonly target: readonly (readonly number[])[]
  readonly optimizer: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly values: readonly number[]
  }[]
  readonly steps: number
}

export class Learner {
  private readonly tf: TensorFlow
  private readonly hyper: Hyper
  private readonly inputs: number
  private readonly actions: number
  private readonly online: Variable[]
  private readonly target: Variable[]
  private readonly optimizer: Optimizer
  steps = 0

  constructor(tf: TensorFlow, inputs: number, actions: number, hyper: Hyper, random: Random) {
    this.tf = tf
    this.hyper = hyper
    this.inputs = inputs
    this.actions = actions
    const shapes = this.shapes()
    // He's initialization for rectified units.
    const draw = ([rows, columns]: readonly number[]) =>
      columns === undefined
        ? new Float32Array(rows as number)
        : Float32Array.from(
            { length: (rows as number) * columns },
            () => (2 * random() - 1) * Math.sqrt(6 / (rows as number)),
          )
    const values = shapes.map(draw)
    const make = () => shapes.map((shape, i) => tf.variable(tf.tensor((values[i] as Float32Array).slice(), [...shape])))
    this.online = make()
    this.target = make()
    this.optimizer = tf.train.adam(hyper.rate)
  }

  private shapes(): readonly (readonly number[])[] {
    const widths = [this.inputs, ...this.hyper.hidden, this.actions]
    return widths.slice(1).flatMap((width, l) => [[widths[l] as number, width], [width]])
  }

  /** Steps get smaller towards the end of training: `share` of the learning rate. */
  slow(share: number): void {
    this.optimizer.learningRate = this.hyper.rate * share
  }

  /** What each layer makes of the input; the last are the actions' values. */
  private activations(variables: readonly Variable[], x: Tensor): Tensor[] {
    const { tf } = this
    const out = [x]
    for (let i = 0; i < variables.length; i += 2) {
      const [weights, bias] = [variables[i] as Variable, variables[i + 1] as Variable]
      const sum = tf.add(tf.matMul(out.at(-1) as Tensor, weights), bias)
      out.push(i + 2 < variables.length ? tf.relu(sum) : sum)
    }
    return out
  }

  private values(variables: readonly Variable[], x: Tensor): Tensor {
    return this.activations(variables, x).at(-1) as Tensor
  }

  /** One step of Adam on a batch; returns the mean absolute error of its values. */
  train(sample: Sample): number {
    const { tf, inputs, actions, hyper } = this
    const count = sample.actions.length
    const error = tf.tidy(() => {
      const next = tf.tensor(sample.next, [count, inputs])
      const chosen = tf.argMax(this.values(this.online, next), 1)
      const later = tf.sum(tf.mul(this.values(this.target, next), tf.oneHot(chosen, actions)), 1)
      const goal = tf.add(tf.tensor(sample.rewards, [count]), tf.mul(later, hyper.gamma))
      const layers = this.activations(this.online, tf.tensor(sample.states, [count, inputs]))
      const mask = tf.oneHot(tf.tensor(sample.actions, [count], 'int32'), actions)
      const own = tf.sum(tf.mul(layers.at(-1) as Tensor, mask), 1)
      const errors = tf.sub(own, goal)
      // Huber's loss: beyond 1 an error pulls no harder.
      const pull = tf.mul(tf.clipByValue(errors, -1, 1), 1 / count)
      this.optimizer.applyGradients(this.gradients(layers, tf.mul(mask, tf.reshape(pull, [count, 1]))))
      return errors.dataSync()
    })
    this.steps++
    if (this.steps % hyper.sync === 0) this.synchronize()
    return Array.from(error).reduce((sum, e) => sum + Math.abs(e), 0) / count
  }

  /** Of the loss, by what it changes with the last layer: backwards through the layers. TensorFlow.js's own derivatives are in no file that Node can load alone. */
  private gradients(layers: readonly Tensor[], ofValues: Tensor): Named[] {
    const { tf, online } = this
    const named: Named[] = []
    let slope = ofValues
    for (let i = online.length - 2; i >= 0; i -= 2) {
      const [weights, bias] = [online[i] as Variable, online[i + 1] as Variable]
      const input = layers[i / 2] as Tensor
      named.push({ name: weights.name, tensor: tf.matMul(input, slope, true, false) })
      named.push({ name: bias.name, tensor: tf.sum(slope, 0) })
      if (i > 0) slope = tf.mul(tf.matMul(slope, weights, false, true), tf.step(input))
    }
    return named
  }

  private synchronize(): void {
    this.target.forEach((variable, i) => {
      variable.assign((this.online[i] as Variable).clone())
    })
  }

  /** The online network. */
  layers(): Layer[] {
    const values = this.online.map((v) => Float64Array.from(v.dataSync()))
    return values.flatMap((weights, i) => (i % 2 === 0 ? [{ weights, bias: values[i + 1] as Float64Array }] : []))
  }

  async state(): Promise<LearnerState> {
    const values = (v: Tensor) => Array.from(v.dataSync())
    const optimizer = await this.optimizer.getWeights()
    return {
      online: this.online.map(values),
      target: this.target.map(values),
      optimizer: optimizer.map(({ name, tensor }) => ({ name, shape: tensor.shape, values: values(tensor) })),
      steps: this.steps,
    }
  }

  /** Goes on from a state. Throws RangeError where it is one of another shape. */
  async restore(state: LearnerState): Promise<void> {
    const { tf } = this
    const fill = (variables: readonly Variable[], values: readonly (readonly number[])[]) => {
      variables.forEach((variable, i) => {
        const given = values[i]
        if (given?.length !== variable.size || values.length !== variables.length) {
          throw new RangeError(`expected a network of ${variable.size} values in layer ${i}, got ${given?.length ?? 0}`)
        }
        variable.assign(tf.tensor(given, variable.shape))
      })
    }
    fill(this.online, state.online)
    fill(this.target, state.target)
    const tensors = state.optimizer.map(({ name, shape, values }) => ({ name, tensor: tf.tensor(values, [...shape]) }))
    if (tensors.length > 1) await this.optimizer.setWeights(tensors)
    this.steps = state.steps
  }

  dispose(): void {
    for (const v of [...this.online, ...this.target]) v.dispose()
    this.optimizer.dispose()
  }
}
