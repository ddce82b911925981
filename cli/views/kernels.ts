// The kernels that can be measured, with the sizes of each.
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import type { AnyKernel } from '../../kernels/kernel.ts'
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'

function kernelRow({ name, means, sizes, plans }: AnyKernel) {
  return {
    name,
    means,
    backends: Object.keys(plans),
    sizes: Object.entries(sizes).map(([size, s]) => ({ name: size, means: s.means, default: s.default })),
  }
}

type Row = ReturnType<typeof kernelRow>

export async function kernelsAnswer(): Promise<Answer> {
  const rows = (await Promise.all(kernelNames.map(loadKernel))).map(kernelRow)
  return {
    json: rows,
    view: () => {
      const list = table<Row>(
        [
          { key: 'name', title: 'kernel', value: (k) => k.name },
          {
            key: 'sizes',
            title: 'sizes',
            value: (k) => k.sizes.map((s) => `${s.name}=${s.default}`).join(' '),
            wraps: true,
          },
          { key: 'backends', title: 'backends', value: (k) => k.backends.join(' '), spare: 1 },
          { key: 'means', title: 'what it does', value: (k) => k.means, wraps: true },
        ],
        rows,
      )
      return { table: list, sections: [{ kind: 'table', table: list }] }
    },
  }
}
