// The model that a row names: a preset by name or alias, loaded once.
import type { Architecture } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { Unmappable } from './case.ts'

/** Spellings of these files alone; the catalog knows the usual ones. */
const spellings: Readonly<Record<string, string>> = {
  'llama2 7b': 'llama-2-7b',
  'llama2-7b': 'llama-2-7b',
  'llama2-13b': 'llama-2-13b',
  'llama2 70b': 'llama-2-70b',
  'llama2-70b': 'llama-2-70b',
  'nvidia/deepseek-r1-nvfp4': 'deepseek-r1',
}

const loaded = new Map<string, Promise<Architecture>>()

/** Throws Unmappable where no preset has the name. */
export async function modelOf(name: string): Promise<Architecture> {
  const key = name.trim().toLowerCase()
  let architecture = loaded.get(key)
  if (!architecture) {
    architecture = loadModel(spellings[key] ?? name.trim())
    loaded.set(key, architecture)
  }
  try {
    return await architecture
  } catch (error) {
    if (error instanceof RangeError) throw new Unmappable(`model: '${name}' is not known`)
    throw error
  }
}
