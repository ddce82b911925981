// The README's commands, apart from the other tests: they take the built program and write files.
import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['test/program/readme.test.ts'], testTimeout: 60_000 } })
