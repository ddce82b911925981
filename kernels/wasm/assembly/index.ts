// AssemblyScript, compiled by `npm run build`: what the threads of the wasm backend run. Each exported function does one
// piece of a launch; `args` points at 32-bit words, the addresses of its buffers first, then its numbers.
export { appendKeys, appendValues } from './append'
export { attend, merge } from './attention'
export { gather, lookup, unpack } from './codes'
export { depthwise } from './convolution'
export { fill, fillHalf } from './fill'
export { attendPlanes } from './hierarchical'
export { attendTable, turnTable } from './kvquant'
export { fma, mark } from './peak'
export { gemv, gemvCodes, multiply, pack, transposeCodes } from './product'
export { gelu, norm, softmax, swiglu } from './rows'
export { attendListed, clearCount, compare, markShares, mergeListed, select, wholeOf } from './squeezed'
export { copy, read, triad } from './stream'
