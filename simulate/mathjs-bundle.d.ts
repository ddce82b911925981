// The bundle of mathjs has no types of its own.
declare module 'mathjs/lib/browser/math.js' {
  import type { MathNode } from 'mathjs'

  const mathjs: { parse(text: string): MathNode }
  export default mathjs
}
