export interface Bin {
  from: number
  to: number
  count: number
}

/** Counts values in bins of equal width between the smallest and the largest; one value makes one full bin. */
export function binned(values: readonly number[], binCount: number): Bin[] {
  if (values.length === 0) return []
  const low = Math.min(...values)
  const high = Math.max(...values)
  if (low === high) return [{ from: low, to: high, count: values.length }]
  const width = (high - low) / binCount
  const bins = Array.from({ length: binCount }, (_, index) => ({
    from: low + index * width,
    to: low + (index + 1) * width,
    count: 0,
  }))
  for (const value of values) {
    const bin = bins[Math.min(binCount - 1, Math.floor((value - low) / width))]
    if (bin !== undefined) bin.count++
  }
  return bins
}

/** Middle value of an unsorted list; NaN of an empty one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
