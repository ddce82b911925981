// What this folder uses of TensorFlow.js, in its own types: the library's bring another version of WebGPU's types along,
// and it is not always installed.

export interface Tensor {
  readonly shape: readonly number[]
  data(): Promise<Float32Array>
  dispose(): void
}

export interface Core {
  readonly version_core: string
  env(): { set(flag: string, value: boolean): void; getAsync(flag: string): Promise<unknown> }
  ready(): Promise<void>
  getBackend(): string
  setBackend(name: string): Promise<boolean>
  registerBackend(name: string, make: () => object): boolean
  removeBackend(name: string): void
  tidy<T extends Tensor | readonly Tensor[]>(work: () => T): T
  tensor(values: Float32Array, shape: readonly number[], type: 'float32'): Tensor
  reshape(x: Tensor, shape: readonly number[]): Tensor
  slice(x: Tensor, begin: number, size: number): Tensor
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor
  softmax(x: Tensor): Tensor
  moments(x: Tensor, axis: number, keep: boolean): { readonly mean: Tensor; readonly variance: Tensor }
  rsqrt(x: Tensor): Tensor
  add(a: Tensor, b: Tensor | number): Tensor
  sub(a: Tensor, b: Tensor | number): Tensor
  mul(a: Tensor, b: Tensor | number): Tensor
}
