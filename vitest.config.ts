import { defineConfig } from 'vitest/config'
import type { Reporter, TestModule } from 'vitest/node'

/** One plain closing line beside vitest's own summary, for whoever reads the log by machine. */
const tally: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
  },
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/program/readme.test.ts'],
    testTimeout: 60_000,
    reporters: ['default', tally],
  },
})
