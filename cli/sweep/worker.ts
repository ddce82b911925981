// One worker of a sweep: it loads the sweep once, then answers the stretches that it is sent.
import { parentPort, workerData } from 'node:worker_threads'
import { describeError, exitCode } from '../errors.ts'
import { answerChunk } from './chunk.ts'
import { rowFormat } from './rows.ts'
import { loadSweep, type SweepSpec } from './spec.ts'

export interface Stretch {
  readonly begin: number
  readonly end: number
}

const port = parentPort
if (port === null) throw new Error('Expected to be started as a worker')
const loaded = loadSweep(workerData as SweepSpec).then((sweep) => ({
  sweep,
  format: rowFormat(sweep.spec.format, sweep),
}))

port.on('message', ({ begin, end }: Stretch) => {
  loaded
    .then(({ sweep, format }) => answerChunk(sweep, format, begin, end))
    .then((chunk) => {
      const { buffer } = chunk.bytes
      port.postMessage({ begin, chunk }, [buffer as ArrayBuffer])
    })
    .catch((error: unknown) => {
      port.postMessage({
        begin,
        error: { message: describeError(error, false).replace(/^memwall: /, ''), code: exitCode(error) },
      })
    })
})
