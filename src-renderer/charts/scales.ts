/** Largest tick and all ticks of an axis that starts at 0: at most five lines, steps of 1, 2, 2.5 or 5. */
export function ticksFrom0(largest: number, intervals = 4): number[] {
  const wanted = Math.max(largest, 1e-6) / intervals
  const magnitude = 10 ** Math.floor(Math.log10(wanted))
  const step =
    [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((each) => each >= wanted * 0.999) ?? wanted
  const top = Math.ceil(largest / step - 1e-9)
  return Array.from({ length: Math.max(1, top) + 1 }, (_, index) => Number((index * step).toPrecision(6)))
}

/** Epochs that get a label: the first, the last, and round ones between that keep clear of both. */
export function epochTicks(planned: number, room: number): number[] {
  if (planned <= 1) return [1]
  const most = Math.max(2, Math.floor(room / 48))
  const step =
    [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000].find((each) => planned / each <= most) ?? planned
  const ticks = [1]
  for (let epoch = step === 1 ? 2 : step; epoch < planned; epoch += step) {
    if (epoch - 1 >= step * 0.6 && planned - epoch >= step * 0.6) ticks.push(epoch)
  }
  return [...ticks, planned]
}

/** SVG path through the points; null values leave gaps. */
export function linePath(points: readonly ({ x: number; y: number } | null)[]): string {
  let path = ''
  let pen = false
  for (const point of points) {
    if (point === null) {
      pen = false
      continue
    }
    path += `${pen ? 'L' : 'M'}${point.x.toFixed(1)} ${point.y.toFixed(1)}`
    pen = true
  }
  return path
}

/** Moves labels apart that would overlap, keeping their order and the limits. */
export function spreadLabels(positions: readonly number[], gap: number, low: number, high: number): number[] {
  const order = positions
    .map((position, index) => ({ position, index }))
    .sort((a, b) => a.position - b.position)
  let previous = low - gap
  for (const each of order) {
    each.position = Math.max(each.position, previous + gap)
    previous = each.position
  }
  let next = high + gap
  for (const each of order.reverse()) {
    each.position = Math.min(each.position, next - gap)
    next = each.position
  }
  const result = [...positions]
  for (const each of order) result[each.index] = each.position
  return result
}
