import { expect, test } from 'vitest'
import { importConfig } from '../../model/import/config.ts'
import { aliases, families } from '../../model/import/families.ts'
import { loadConfig } from '../../model/import/read.ts'

const outcome = async (read: () => unknown) => {
  try {
    return await read()
  } catch (error) {
    return String(error)
  }
}

// Most families refuse this config, for want of a field: then with the same words.
const config = {
  hidden_size: 64,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  intermediate_size: 128,
  vocab_size: 100,
  torch_dtype: 'bfloat16',
}

test.each([...Object.keys(families), ...Object.keys(aliases), 'nobody-knows'])(
  '%s is read by its reader alone as with all of them',
  async (model_type) => {
    const json = { ...config, model_type }
    expect(await outcome(() => loadConfig(json, 'x'))).toEqual(await outcome(() => importConfig(json, 'x')))
  },
)
