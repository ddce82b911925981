// The program: parses the command line, runs the command that it names, and turns errors into exit codes.
import { readFileSync } from 'node:fs'
import { Command, CommanderError, type CommandUnknownOpts } from './commander.ts'
import { commands } from './commands.ts'
import { describeError, exitCode, UsageError } from './errors.ts'

const examples = `
Examples:
  memwall predict llama-2-7b --on a100-80gb-sxm
  memwall predict llama-3.1-70b --on h100-sxm --tp 4 --phase prefill --context 8k
  memwall predict ./my-model --on rtx-4090 --weights int4 --plot roofline.png
  memwall compare mixtral-8x7b --on h100-sxm,h200,mi300x --batch 16 --json
  memwall show machine h200`

const names = Object.keys(commands).join(', ')

/** Runs the command line `args` and returns its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    if (args.length === 0) throw new UsageError(`expected a command: ${names}; \`memwall --help\` explains them`)
    const program = await build(args)
    await program.parseAsync([...args], { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its own.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    process.stderr.write(`${describeError(error, (process.env.MEMWALL_DEBUG ?? '') !== '')}\n`)
    return exitCode(error)
  }
}

async function build(args: readonly string[]): Promise<CommandUnknownOpts> {
  const program = new Command('memwall')
    .description('What a transformer costs on a machine, from first principles, with the ledger behind the answer.')
    .version(version(), '-V, --version')
    .helpOption('-h, --help', 'show help')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(commanderError(text)) })
    .addHelpText('after', examples)
  // Only help and an unknown command need the others.
  const [first = ''] = args
  const rows = Object.hasOwn(commands, first)
    ? Object.entries(commands).filter(([name]) => name === first)
    : Object.entries(commands)
  for (const [name, { summary, load }] of rows) {
    const command: CommandUnknownOpts = args.includes(name) ? await (await load()).command(args) : new Command(name)
    program.addCommand(command.summary(summary))
    inherit(command, program as CommandUnknownOpts)
    if (command.description() === '') command.description(summary)
  }
  return program as CommandUnknownOpts
}

/** Commander settles a command's own commands before it has settings to hand on. */
function inherit(command: CommandUnknownOpts, parent: CommandUnknownOpts): void {
  command.copyInheritedSettings(parent)
  for (const own of command.commands) inherit(own, command)
}

/** Commander's message as one line of ours, with what to do where it names nothing near. */
function commanderError(text: string): string {
  const line = text
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim()
  const near = line.includes('Did you mean')
  if (/^unknown command/.test(line) && !near) return `memwall: ${line}; expected one of ${names}\n`
  if (/^unknown option/.test(line) && !near) return `memwall: ${line}; --help lists the options\n`
  return `memwall: ${line}\n`
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
