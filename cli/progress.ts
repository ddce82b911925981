// Long work, step by step: it says on stderr where it is, and between steps it can be interrupted, so that nothing is
// left half written.

export interface Progress {
  /** Another step is done; `what` is what is being worked on. */
  step(what: string): Promise<void>
  /** Takes the line away again. */
  end(): void
}

/** Milliseconds between two looks at what the user does, and before a line is first shown. */
const patience = 200

/** Progress on stderr where it is a terminal; silent elsewhere. `hint` tells an interrupted user what to do next. */
export function progress(stream: NodeJS.WriteStream = process.stderr, hint = ''): Progress {
  let last = performance.now()
  let shown = false
  const interrupted = () => {
    clear()
    stream.write(`memwall: interrupted${hint}\n`)
    process.exit(130)
  }
  const clear = () => {
    if (shown) stream.write('\r\x1b[K')
    shown = false
  }
  process.once('SIGINT', interrupted)
  return {
    async step(what) {
      if (performance.now() - last < patience) return
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${what.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`)
        shown = true
      }
      // The signal's handler runs here.
      await new Promise((done) => setImmediate(done))
      last = performance.now()
    },
    end() {
      clear()
      process.off('SIGINT', interrupted)
    },
  }
}
