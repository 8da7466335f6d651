/**
 * Wilson score interval of a proportion at 95 %: between which fractions the true value lies when `right`
 * of `total` were right. Wilson, E. B. (1927), JASA 22.
 */
export function wilsonInterval(right: number, total: number): { low: number; high: number } {
  if (total === 0) return { low: 0, high: 1 }
  const z = 1.96
  const fraction = right / total
  const scale = 1 + (z * z) / total
  const center = (fraction + (z * z) / (2 * total)) / scale
  const half = (z / scale) * Math.sqrt((fraction * (1 - fraction)) / total + (z * z) / (4 * total * total))
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) }
}
