// The report's charts as one picture.
import type { Report } from '../../kernels/report.ts'
import { drawBelow } from './canvas.ts'
import { decades, type ReportChart, rooflineChart, scatterChart, speedupChart } from './report-charts.ts'

/** Pixels of a chart, and of each method in that of the speedups. */
const tall = 620
const bar = 56

export async function plotReport(path: string, report: Report): Promise<void> {
  const charts = [
    { config: scatterChart(report), height: tall },
    { config: rooflineChart(report), height: tall },
    { config: speedupChart(report), height: 150 + bar * report.speedups.length },
  ]
  await drawBelow(
    path,
    charts.flatMap(({ config, height }) => (config ? [{ config: withDecades(config), height }] : [])),
  )
}

function withDecades(config: ReportChart): ReportChart {
  const scales = Object.entries(config.options?.scales ?? {}).map(([name, scale]) => [
    name,
    scale?.type === 'logarithmic' ? { ...scale, afterBuildTicks: decades } : scale,
  ])
  return { ...config, options: { ...config.options, scales: Object.fromEntries(scales) } } as ReportChart
}
