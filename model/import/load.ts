// A Hugging Face `config.json` becomes an Architecture, by the one reader that it needs.
import type { Architecture } from '../architecture.ts'
import { files } from './families.ts'
import { readConfig, readerFile } from './read.ts'

/** Reads a config as `importConfig` does. Throws ConfigError. */
export async function loadConfig(json: unknown, name: string): Promise<Architecture> {
  const file = readerFile(json, name)
  return readConfig(json, name, { [file]: await files[file]() })
}
