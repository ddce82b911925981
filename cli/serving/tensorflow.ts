// TensorFlow.js, loaded only to train: on a GPU where a user has installed it for one, else on the processor, which is
// enough for a network of some thousand weights.
import type { TensorFlow } from '../../simulate/serving/dqn/learner.ts'
import { FileError } from '../errors.ts'

interface Library extends TensorFlow {
  enableProdMode(): void
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
}

export interface Loaded {
  readonly tf: TensorFlow
  readonly backend: string
}

// In variables: the packages' declarations are not read.
const gpu = '@tensorflow/tfjs-node-gpu'
const core = '@tensorflow/tfjs-core'
const cpu = '@tensorflow/tfjs-backend-cpu'

export async function loadTensorFlow(): Promise<Loaded> {
  const installed = await attempt(gpu)
  if (installed) return { tf: installed, backend: 'node-gpu' }
  const tf = await attempt(core)
  if (!tf)
    throw new FileError(`training needs ${core} and ${cpu}; expected them installed (npm install --include=optional)`)
  // Its advice to install another package is not for users of this program.
  tf.enableProdMode()
  if (!(await attempt(cpu)))
    throw new FileError(`training needs ${cpu}; expected it installed (npm install --include=optional)`)
  await tf.setBackend('cpu')
  await tf.ready()
  return { tf, backend: 'cpu' }
}

async function attempt(name: string): Promise<Library | undefined> {
  try {
    const module = (await import(name)) as Library & { default?: Library }
    return module.train ? module : module.default
  } catch {
    return undefined
  }
}
