// Errors of the command line and the exit codes that they mean: 2 for what was typed, 1 for what was found in a file or
// went wrong in a run.

/** What was typed is wrong: a name, a number, a file that is not there, flags that exclude each other. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Something on disk cannot be read or written. */
export class FileError extends Error {
  override name = 'FileError'
}

/** 2 for usage and ranges, 1 for the rest. */
export function exitCode(error: unknown): 1 | 2 {
  return error instanceof UsageError || error instanceof RangeError ? 2 : 1
}

/** The message as printed on stderr: one line, or one for each fault of a file; with `debug`, the stack. */
export function describeError(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return `memwall: ${error.stack ?? error.message}`
  const message = error instanceof Error ? error.message : String(error)
  const lines = error instanceof FileError ? message.split('\n') : [message.replace(/\s+/g, ' ').trim()]
  return lines.map((line) => `memwall: ${line || 'failed without a message'}`).join('\n')
}

/** Why a system call on a file failed, in words. */
export function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such folder',
    ENOTDIR: 'a part of the path is not a folder',
    EISDIR: 'it is a folder',
    EACCES: 'no permission',
    EPERM: 'no permission',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left',
    ENAMETOOLONG: 'the name is too long',
  }
  return (code && words[code]) || message
}
