// The data points behind the trends of AI and Memory Wall (arXiv 2403.14123), decoded from the figures of its repository:
// dates to the day, values as base × plotted ratio. Published figures alone; fits and later machines stand elsewhere.

export interface Point {
  /** ISO date; of a machine known by its year, the middle of it. */
  readonly date: string
  readonly value: number
  /** What it is, where that is known. */
  readonly name?: string
}

export interface Series {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** Factor per two years and per twenty as printed in the paper's figures; undefined where it is not. */
  readonly printed: { readonly per2: string; readonly per20?: string }
  readonly points: readonly Point[]
}

type Row = readonly [date: string, value: number, name?: string]

function points(rows: readonly Row[]): Point[] {
  return rows.map(([date, value, name]) => ({ date, value, ...(name !== undefined && { name }) }))
}

/** Where the points come from. */
export const source = 'github.com/amirgholami/ai_and_memory_wall, decoded from its figures'

// In the units of each series.
const compute: readonly Row[] = [
  ['1997-01-29', 0.339, 'R10000'],
  ['1998-01-01', 0.233, 'Pentium II Xeon'],
  ['2002-05-29', 13, 'Itanium 2'],
  ['2006-07-18', 45],
  ['2007-04-17', 92.8],
  ['2007-05-01', 518],
  ['2008-01-01', 100],
  ['2008-01-01', 210],
  ['2008-01-01', 1050],
  ['2009-01-01', 110],
  ['2009-01-01', 600],
  ['2009-01-01', 3000],
  ['2010-01-01', 160],
  ['2010-01-01', 700],
  ['2010-11-09', 1581, 'GTX 580'],
  ['2011-01-01', 170],
  ['2012-01-01', 400],
  ['2012-01-01', 3000],
  ['2012-01-01', 5000],
  ['2013-01-01', 580],
  ['2013-01-01', 2500],
  ['2013-01-01', 8000],
  ['2014-01-01', 1400],
  ['2014-01-01', 5500, 'K40'],
  ['2015-01-01', 6144],
  ['2016-01-01', 1700],
  ['2016-01-01', 7200, 'KNL'],
  ['2016-01-01', 10000],
  ['2016-01-01', 16000],
  ['2017-01-01', 13730],
  ['2017-01-01', 21200],
  ['2017-05-17', 45e3, 'TPUv2'],
  ['2017-06-21', 112e3, 'V100'],
  ['2018-05-08', 123e3, 'TPUv3'],
  ['2020-05-14', 312e3, 'A100'],
  ['2022-05-16', 275e3, 'TPUv4'],
  ['2022-09-20', 989.5e3, 'H100'],
]

const bandwidth: readonly Row[] = [
  ['2003-10-01', 15.2, 'GDDR3'],
  ['2006-10-17', 64, 'GDDR4'],
  ['2008-06-25', 115.2, 'GDDR5'],
  ['2015-07-10', 512, 'HBM'],
  ['2016-06-20', 732.2],
  ['2016-09-27', 320.3],
  ['2017-06-21', 897, 'HBM2'],
  ['2018-10-17', 448],
  ['2020-06-22', 1555],
  ['2020-09-01', 760.3],
  ['2021-06-28', 1935],
  ['2022-03-22', 2039, 'HBM2E'],
]

const interconnect: readonly Row[] = [
  ['2003-01-01', 2.5, 'PCIe 1.0a'],
  ['2007-01-15', 5, 'PCIe 2.0'],
  ['2010-11-01', 8, 'PCIe 3.0'],
  ['2016-04-05', 20, 'NVLink 1'],
  ['2016-11-10', 16],
  ['2017-06-21', 25],
  ['2019-05-30', 32, 'PCIe 5.0'],
  ['2020-06-22', 50],
  ['2022-01-01', 64],
  ['2022-09-20', 100, 'NVLink 4'],
]

const parameters: readonly Row[] = [
  ['2017-12-06', 0.065, 'Transformer'],
  ['2018-06-11', 0.11, 'GPT-1'],
  ['2018-10-11', 0.33, 'BERT'],
  ['2019-02-14', 1.5, 'GPT-2'],
  ['2019-08-17', 8.3, 'Megatron'],
  ['2020-02-13', 17, 'T-NLG'],
  ['2020-05-28', 175, 'GPT-3'],
  ['2020-06-30', 600, 'GShard'],
  ['2021-01-12', 1600, 'Switch'],
  ['2021-09-11', 530, 'MT-NLG'],
]

const capacity: readonly Row[] = [
  ['2016-06-20', 12, 'P100'],
  ['2017-05-17', 16, 'TPUv2'],
  ['2017-06-21', 32, 'V100'],
  ['2018-05-08', 32, 'TPUv3'],
  ['2020-05-14', 40, 'A100'],
  ['2020-11-16', 80, 'A100-80'],
  ['2022-03-22', 80, 'H100'],
]

const training: readonly Row[] = [
  ['2017-12-06', 2.3e4, 'Transformer'],
  ['2018-06-11', 5.66e4, 'GPT-1'],
  ['2018-10-11', 5.33e5, 'BERT'],
  ['2019-06-19', 3.9e6, 'XLNet'],
  ['2019-07-26', 4.26e6],
  ['2019-08-17', 8.12e6, 'Megatron'],
  ['2019-09-26', 3.1e7],
  ['2020-02-13', 2.77e7, 'T-NLG'],
  ['2020-03-23', 3.1e6],
  ['2020-05-28', 3.14e8, 'GPT-3'],
]

export const seriesNames = [
  'compute',
  'dram-bandwidth',
  'interconnect',
  'parameters',
  'memory',
  'training-compute',
] as const
export type SeriesName = (typeof seriesNames)[number]

/** The six series of the paper. Slope per two years as printed; Moore's law's line there is 2x. */
export const paperSeries: Readonly<Record<SeriesName, Series>> = {
  compute: {
    name: 'compute',
    title: 'peak compute of a chip',
    unit: 'GFLOP/s',
    printed: { per2: '3.0', per20: '60000' },
    points: points(compute),
  },
  'dram-bandwidth': {
    name: 'dram-bandwidth',
    title: 'DRAM bandwidth',
    unit: 'GB/s',
    printed: { per2: '1.6', per20: '100' },
    points: points(bandwidth),
  },
  interconnect: {
    name: 'interconnect',
    title: 'interconnect bandwidth',
    unit: 'Gbit/s per lane',
    printed: { per2: '1.4', per20: '30' },
    points: points(interconnect),
  },
  parameters: {
    name: 'parameters',
    title: 'transformer parameters',
    unit: 'billions',
    printed: { per2: '410' },
    points: points(parameters),
  },
  memory: {
    name: 'memory',
    title: 'memory of a chip',
    unit: 'GB',
    printed: { per2: '2' },
    points: points(capacity),
  },
  'training-compute': {
    name: 'training-compute',
    title: 'transformer training compute',
    unit: 'PFLOP',
    printed: { per2: '750' },
    points: points(training),
  },
}
