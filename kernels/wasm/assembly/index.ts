// AssemblyScript, compiled by `npm run build`: what the threads of the wasm backend run. Each exported function does one
// piece of a launch; `args` points at 32-bit words, the addresses of its buffers first, then its numbers.
export { attend, merge } from './attention'
export { fill, fillHalf } from './fill'
export { fma, mark } from './peak'
export { gemv, gemvCodes, multiply, pack, transposeCodes } from './product'
export { copy, read, triad } from './stream'
