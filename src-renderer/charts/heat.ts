/** Style class of a cell of the confusion matrix: how much of its row it holds, and whether that is right. */
export function heatLevel(
  value: number,
  rowTotal: number,
  right: boolean,
): '' | 'h1' | 'h2' | 'h3' | 'h4' | 'miss' {
  if (value === 0 || rowTotal === 0) return ''
  if (!right) return 'miss'
  const fraction = value / rowTotal
  if (fraction >= 0.8) return 'h4'
  if (fraction >= 0.6) return 'h3'
  return fraction >= 0.4 ? 'h2' : 'h1'
}
