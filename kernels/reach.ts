// What of a machine a backend can use: not the matrix units, where its language has none.
import type { Machine } from '../hardware/machine.ts'
import type { BackendName } from './backend.ts'

/** The machine as kernels of this backend see it: predictions for them are made on this. */
export function reached(machine: Machine, backend: BackendName): Machine {
  const { fp32, fp16 } = machine.vector
  if (backend !== 'webgpu' || fp32 === undefined || machine.calibrated) return machine
  // Halves are multiplied as halves, or as singles once they are loaded.
  return { ...machine, peaks: { fp32, fp16: fp16 ?? fp32, bf16: fp32 } }
}
