export function accuracyPage(_: object): string {
  return ''
}
