// Runs the built program as a user does.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** The built program; another build's through MEMWALL_MAIN. */
export const main = process.env.MEMWALL_MAIN || join(import.meta.dirname, '../../dist/cli/main.js')

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Where nothing was calibrated: what this machine's user keeps is not what tests are about. */
const nowhere = join(tmpdir(), 'memwall-no-profile')

/** `memwall` with these arguments in the folder `cwd`. */
export function memwall(args: readonly string[], cwd?: string, node: readonly string[] = []): Promise<Result> {
  return new Promise((done) => {
    const env = { XDG_CONFIG_HOME: nowhere, ...process.env }
    execFile(process.execPath, [...node, main, ...args], { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      done({ code, stdout, stderr })
    })
  })
}

/** A folder for one test file, gone afterwards. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'memwall-cli-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
