// Percentiles of a few hundred times: exact, by rank, for the claims name a p99 of a hundred.

/** The smallest of the values that this share (0 to 1) of all are not above; NaN for none. */
export const percentile = (values: readonly number[], share: number): number => {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!
}

/** NaN for none. */
export const highest = (values: readonly number[]): number => percentile(values, 1)

const shown = (ms: number): string => (ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en-US"))

/** `12 times, p50 8.1 ms, p99 20 ms, max 23 ms` */
export const summary = (times: readonly number[]): string =>
  times.length === 0
    ? "never"
    : `${times.length} times, p50 ${shown(percentile(times, 0.5))} ms, p99 ${shown(percentile(times, 0.99))} ms, max ${shown(highest(times))} ms`
