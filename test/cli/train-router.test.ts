// `memwall train-router` as a user runs it: small networks, few episodes.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { main, memwall, scratch } from './run.ts'

const folder = scratch()
const fleet = ['opt-1.3b=1,opt-125m=1', '--on', 'a100-80gb-sxm', '--deadline', '1s', '--tasks', 'piqa,lambada']
const short = ['--output', '4', '--least-rate', '20', '--most-rate', '60', '--hidden', '4', '--steps', '3']
const args = (file: string, ...more: string[]) => {
  const [models = '', ...rest] = fleet
  return ['train-router', models, file, ...rest, ...short, '--episodes', '8', ...more]
}
const run = (...given: string[]) => memwall(given, folder)
const text = (file: string) => readFileSync(join(folder, file), 'utf8')

/** Trains until there is a checkpoint, then kills without a warning. */
function killed(file: string): Promise<void> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [main, ...args(file)], { cwd: folder }, () => {
      clearInterval(watch)
      done()
    })
    const watch = setInterval(() => existsSync(join(folder, `${file}.checkpoint`)) && child.kill('SIGKILL'), 5)
  })
}

describe('train-router', () => {
  it('explains itself', async () => {
    const { stdout } = await run('train-router', '--help')
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(stdout).toMatchSnapshot()
  })

  it('goes on after a kill to the very router of an undisturbed training, which serves', {
    timeout: 120_000,
  }, async () => {
    const whole = await run(...args('whole.json', '--json'))
    expect(whole.stderr).toBe('')
    const answer = JSON.parse(whole.stdout)
    expect(answer.evaluation.map((e: { router: string }) => e.router).slice(0, 3)).toEqual([
      'dqn',
      'deadline-capped',
      'static',
    ])
    expect(new Set(answer.evaluation.map((e: { arrivals: string }) => e.arrivals))).toEqual(
      new Set(['as trained', 'gamma']),
    )
    expect(existsSync(join(folder, 'whole.json.checkpoint'))).toBe(false)
    await killed('cut.json')
    expect(existsSync(join(folder, 'cut.json'))).toBe(false)
    expect((await run(...args('cut.json'))).stderr).toMatch(/a training was interrupted here; expected --resume/)
    const checkpoint = text('cut.json.checkpoint')
    const other = await run(...args('cut.json', '--seed', '2', '--resume'))
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/is of another training; expected the same/)])
    for (const broken of [
      checkpoint.slice(0, 1000),
      '{}',
      checkpoint.replace('"rewards":"', '"reward":"'),
      checkpoint.replace('"actions":"', '"actions":"AAAA'),
      checkpoint.replace('"online":[[', '"online":[[1,'),
      checkpoint.replace('"averaged":[{"weights":[', '"averaged":[{"weights":[1,'),
    ]) {
      writeFileSync(join(folder, 'cut.json.checkpoint'), broken)
      const { code, stderr } = await run(...args('cut.json', '--resume'))
      expect([code, stderr.trim().split('\n').length], stderr).toEqual([1, 1])
    }
    writeFileSync(join(folder, 'cut.json.checkpoint'), checkpoint)
    const resumed = await run(...args('cut.json', '--resume', '--json'))
    expect(text('cut.json')).toBe(text('whole.json'))
    expect(JSON.parse(resumed.stdout).evaluation).toEqual(answer.evaluation)

    const serve = ['simulate', 'serve', fleet[0] as string, ...fleet.slice(1), '--rate', '50', '--requests', '300']
    const served = await run(...serve, '--router', 'dqn:whole.json', '--json')
    expect(JSON.parse(served.stdout)).toMatchObject({ warnings: [] })
    const mixed = serve.map((a) => (a === 'piqa,lambada' ? 'lambada,piqa' : a))
    expect((await run(...mixed, '--router', 'dqn:whole.json')).stderr).toMatch(
      /was trained for the tasks piqa, lambada/,
    )
    writeFileSync(join(folder, 'bad.json'), text('whole.json').replace('"bias":[', '"bias":[1,'))
    const bad = await run(...serve, '--router', 'dqn:bad.json')
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/bad.json: layer 1: expected 5 inputs/)])
  })

  it('says what to install where TensorFlow.js is missing', async () => {
    const hook = `export async function resolve(name, context, next) {
      if (name.startsWith('@tensorflow/')) throw new Error('not installed')
      return next(name, context)
    }`
    const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)})`
    const node = ['--import', `data:text/javascript,${encodeURIComponent(register)}`]
    const { code, stderr } = await memwall(args('none.json'), folder, node)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/training needs @tensorflow\/tfjs-core and .*npm install/s),
    ])
  })

  it.each([
    ['no checkpoint to go on from', args('x.json', '--resume'), /--resume: x.json.checkpoint: no such file/],
    ['one model', ['train-router', 'opt-1.3b=2', 'x.json', ...fleet.slice(1)], /models: expected two at least/],
    ['rates the wrong way', args('x.json', '--least-rate', '90').filter((a) => a !== '20'), /--least-rate/],
    [
      'a deadline that no batch meets',
      args('x.json').map((a) => (a === '1s' ? '1ms' : a)),
      /--deadline: .* takes longer/,
    ],
    ['no tasks', ['train-router', fleet[0] as string, 'x.json', ...fleet.slice(1, 5)], /--tasks: expected the tasks/],
    ['no episodes', args('x.json').map((a) => (a === '8' ? '0' : a)), /--episodes: expected/],
  ])('refuses %s', async (_, given, message) => {
    const { code, stderr } = await run(...given)
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
  })
})
