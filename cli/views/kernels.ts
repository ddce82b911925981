// The kernels that can be measured.
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'

export function kernelsAnswer(): Answer {
  return {
    json: [],
    view: () => ({
      table: table([{ key: 'name', title: 'kernel', value: (name: string) => name }], []),
      sections: [
        { kind: 'notes', lines: ['There are no kernels yet: memwall predicts, and does not measure so far.'] },
      ],
    }),
  }
}
