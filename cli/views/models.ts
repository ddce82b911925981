// The models that memwall knows, with what tells them apart.
import { layerCount, mainStack } from '../../model/architecture.ts'
import { loadModel, modelNames } from '../../model/catalog.ts'
import { parameters } from '../../model/parameters.ts'
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'
import * as units from '../units.ts'

async function modelRow(name: string) {
  const a = await loadModel(name)
  return {
    name: a.name,
    type: a.type,
    kind: a.kind,
    parameters: parameters(a),
    layers: layerCount(mainStack(a)),
    positions: a.positions ?? null,
    dtype: a.dtype,
  }
}

type ModelRow = Awaited<ReturnType<typeof modelRow>>

export async function modelsAnswer(): Promise<Answer> {
  const rows = await Promise.all(modelNames.map(modelRow))
  return {
    json: rows,
    view: () => {
      const models = table<ModelRow>(
        [
          { key: 'name', title: 'model', value: (m) => m.name, wraps: true },
          { key: 'type', title: 'type', value: (m) => m.type, wraps: true },
          {
            key: 'kind',
            title: 'kind',
            value: (m) => m.kind,
            text: (m) => m.kind.replace('encoder-decoder', 'enc-dec'),
          },
          {
            key: 'total',
            title: 'total',
            value: (m) => m.parameters.total,
            text: (m) => units.parameterCount(m.parameters.total),
            align: 'right',
          },
          {
            key: 'active',
            title: 'active',
            value: (m) => m.parameters.active,
            text: (m) => units.parameterCount(m.parameters.active),
            align: 'right',
          },
          { key: 'embedding', value: (m) => m.parameters.embedding },
          { key: 'head', value: (m) => m.parameters.head },
          { key: 'layers', title: 'layers', value: (m) => m.layers, align: 'right' },
          { key: 'positions', title: 'context', value: (m) => m.positions, align: 'right' },
          { key: 'dtype', value: (m) => m.dtype },
        ],
        rows,
      )
      const note = 'active: parameters that a token passes through in the layers, without embedding and head'
      return {
        table: models,
        sections: [
          { kind: 'table', table: models },
          { kind: 'notes', lines: [note] },
        ],
      }
    },
  }
}
