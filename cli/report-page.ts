// The report as one page that needs nothing else: chart.js, data and style are inside. Readable on a phone, and in print.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { shapeText } from '../kernels/measure.ts'
import type { Report } from '../kernels/report.ts'
import { decades, regimeColour, rooflineChart, scatterChart, speedupChart } from './chart/report-charts.ts'
import * as units from './units.ts'
import { offText, regimeRows } from './views/report.ts'

const style = `
:root { color: #222; background: #fff; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.4rem 0; }
.under { color: #666; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.75rem; margin: 1rem 0; }
.figures div { border: 1px solid #ddd; border-radius: 6px; padding: 0.6rem 0.8rem; }
.figures b { display: block; font-size: 1.5rem; line-height: 1.2; }
.figures span { color: #666; font-size: 0.85rem; }
.chart { position: relative; height: 28rem; margin: 1rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.3rem 0.6rem; border-bottom: 1px solid #e4e4e4; vertical-align: top; }
th { color: #666; font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.shape { color: #666; font-size: 0.8rem; overflow-wrap: anywhere; min-width: 6rem; }
.regime::before { content: ""; display: inline-block; width: 0.65em; height: 0.65em; border-radius: 50%; margin-right: 0.4em; background: var(--hue); }
.warning { border-left: 4px solid #d55e00; padding: 0.2rem 0.8rem; margin: 0.5rem 0; background: #fdf3ec; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; margin: 0.4rem 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  .chart { height: 24rem; }
  body { padding: 0.75rem; }
  th, td { padding: 0.3rem 0.35rem; }
  th { white-space: normal; }
  .wide { font-size: 0.85rem; }
  .spare { display: none; }
  td.regime { font-size: 0; }
  .regime::before { width: 11px; height: 11px; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  .chart { height: 9cm; break-inside: avoid; }
  .chart canvas { max-width: 100% !important; max-height: 100% !important; }
  .wide { overflow: visible; }
  h2 { break-after: avoid; }
  tr, .warning { break-inside: avoid; }
  .regime::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}`

/** What the page does: draws the charts, and names points where a pointer is. */
const script = `
${decades.toString()}
const charts = JSON.parse(document.getElementById('charts').textContent)
const drawn = Object.entries(charts).map(([id, config]) => {
  const tooltip = config.type === 'scatter' ? { callbacks: { label: (c) => (c.raw.name ?? c.dataset.label) + ' (' + c.formattedValue.replace(/[()]/g, '') + ')' } } : {}
  config.options.plugins = { ...config.options.plugins, tooltip }
  config.options.animation = false
  for (const scale of Object.values(config.options.scales)) if (scale.type === 'logarithmic') scale.afterBuildTicks = decades
  return new Chart(document.getElementById(id), config)
})
addEventListener('beforeprint', () => drawn.forEach((chart) => chart.resize()))
addEventListener('afterprint', () => drawn.forEach((chart) => chart.resize()))
document.documentElement.dataset.drawn = drawn.length`

/** The page. */
export function reportPage(r: Report): string {
  const charts = { scatter: scatterChart(r), roofline: rooflineChart(r), speedups: speedupChart(r) }
  const shown = Object.fromEntries(Object.entries(charts).filter(([, config]) => config !== undefined))
  const canvas = (id: keyof typeof charts, label: string, height?: string) =>
    charts[id]
      ? `<div class="chart"${height ? ` style="height: ${height}"` : ''}><canvas id="${id}" role="img" aria-label="${escaped(label)}"></canvas></div>`
      : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(`Predicted against measured on ${r.machine}`)}</title>
<style>${style}
</style>
</head>
<body>
<h1>${escaped(`Predicted against measured on ${r.machine}`)}</h1>
<p class="under">${escaped(`${r.device} (${r.driver}), ${r.backend}; ${r.date}`)}</p>
<div class="figures">
${figure(units.percent(r.median_ape), 'median error of expected')}
${figure(units.relativeError(r.bias), 'bias of expected')}
${figure(String(r.rows.length), 'kernels and shapes')}
${r.roofs.bytes_per_s === null ? '' : figure(units.bandwidth(r.roofs.bytes_per_s), 'stream read of this run')}
${r.roofs.flops_per_s === null ? '' : figure(units.flopRate(r.roofs.flops_per_s), 'multiply-adds in fp32')}
</div>
${r.warnings.map((w) => `<p class="warning">${escaped(w)}</p>`).join('\n')}
<noscript><p class="warning">The charts are drawn by this page's own script, which is switched off; the tables hold the same numbers.</p></noscript>
${canvas('scatter', 'Expected against measured time of every row, both logarithmic, with the diagonal')}
<h2>Error by regime</h2>
${regimeTable(r)}
<h2>Farthest off</h2>
<ul>
${r.worst.map((w) => `<li>${escaped(offText(w))}</li>`).join('\n')}
</ul>
${charts.roofline ? '<h2>Roofline</h2>' : ''}
${charts.roofline ? '<p class="under">The roofs are what this run reached at best, out of memory. A point whose operands are in a cache may lie above the slope.</p>' : ''}
${canvas('roofline', 'Measured FLOP/s over FLOP/byte under the roofs of this run')}
${charts.speedups ? '<h2>What methods gain</h2>' : ''}
${canvas('speedups', 'Predicted and measured speedup of each method', `${8 + 3.6 * r.speedups.length}rem`)}
<h2>Every kernel and shape</h2>
${rowTable(r)}
${r.skipped.length > 0 ? `<h2>In no error above</h2>\n<ul>\n${r.skipped.map((s) => `<li>${escaped(`${s.kernel} ${shapeText(s.shape)}: ${s.why}`)}</li>`).join('\n')}\n</ul>` : ''}
<h2>How it was measured</h2>
<p>${escaped(r.protocol)}</p>
<p>Bound is the roofline of the operator; expected adds what this machine's own ceilings say that kernels pay; an error is expected over measured, less one. Times are medians.</p>
<script type="application/json" id="charts">${inScript(JSON.stringify(shown))}</script>
<script>${inScript(chartSource())}</script>
<script>${script}
</script>
</body>
</html>
`
}

function figure(value: string, label: string): string {
  return `<div><b>${escaped(value)}</b><span>${escaped(label)}</span></div>`
}

function regimeTable(r: Report): string {
  const rows = regimeRows(r).map(
    (g) =>
      `<tr><td>${escaped(g.regime)}</td>${[String(g.rows), units.relativeError(g.bias), units.percent(g.median_ape), units.percent(g.p90_ape)].map(number).join('')}</tr>`,
  )
  return tableOf(['regime', '#rows', '#bias', '#median error', '#9 in 10 within'], rows)
}

function rowTable(r: Report): string {
  const rows = r.rows.map(
    (row) =>
      `<tr><td>${escaped(row.kernel)}<div class="shape">${escaped(shapeText(row.shape))}</div></td><td class="regime" style="--hue: ${regimeColour(row.regime)}">${row.regime}</td><td class="number spare">${units.duration(row.bound_s)}</td>${[units.duration(row.expected_s), units.duration(row.median_s), units.relativeError(row.error)].map(number).join('')}</tr>`,
  )
  return tableOf(['kernel', 'regime', '#!bound', '#expected', '#measured', '#error'], rows)
}

/** Titles that begin with # are over numbers; with ! they are left out where there is little room. */
function tableOf(titles: readonly string[], rows: readonly string[]): string {
  const head = titles.map((t) => {
    const classes = [...(t.startsWith('#') ? ['number'] : []), ...(t.includes('!') ? ['spare'] : [])].join(' ')
    return `<th${classes ? ` class="${classes}"` : ''}>${t.replace(/[#!]/g, '')}</th>`
  })
  return `<div class="wide"><table><thead><tr>${head.join('')}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`
}

function number(text: string): string {
  return `<td class="number">${escaped(text)}</td>`
}

/** The text as HTML shows it, in elements and attributes. */
export function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (mark) => marks[mark] as string)
}

/** Text inside a script element, which its own end tag and comments would close. */
function inScript(text: string): string {
  return text.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--')
}

/** chart.js for browsers, without its pointer to a map that is not there. */
function chartSource(): string {
  const entry = createRequire(import.meta.url).resolve('chart.js')
  return readFileSync(join(dirname(entry), 'chart.umd.min.js'), 'utf8').replace(/\/\/# sourceMappingURL=.*\s*$/, '')
}
