// Counts durations in buckets that are 1.6 % wide, so that a million of them cost no memory and hardly any time.
//
// The bucket of a number is the upper half of its float's bits: exponent and six bits of mantissa, in order of size.

const bitsLeftOut = 17
const buckets = 1 << (31 - bitsLeftOut)

const float = new Float32Array(1)
const bits = new Int32Array(float.buffer)

const bucketOf = (ms: number): number => {
  float[0] = ms
  return bits[0]! >>> bitsLeftOut
}

/** The middle of a bucket, in ms. */
const middleOf = (bucket: number): number => {
  bits[0] = (bucket << bitsLeftOut) | (1 << (bitsLeftOut - 1))
  return float[0]!
}

export interface Histogram {
  /** @param ms not negative */
  readonly record: (ms: number) => void
  readonly count: () => number
  /** The duration, in ms, that this share (0 to 1) of all were not longer than; 0 when there are none. */
  readonly percentile: (share: number) => number
  /** The longest, in ms. */
  readonly max: () => number
}

export const histogram = (): Histogram => {
  const counts = new Uint32Array(buckets)
  let count = 0
  let max = 0
  return {
    record: (ms) => {
      counts[bucketOf(ms)]! += 1
      count += 1
      if (ms > max) max = ms
    },
    count: () => count,
    percentile: (share) => {
      const rank = Math.max(1, Math.ceil(share * count))
      let seen = 0
      for (let bucket = 0; bucket < buckets; bucket++) {
        seen += counts[bucket]!
        if (seen >= rank) return Math.min(middleOf(bucket), max)
      }
      return 0
    },
    max: () => max,
  }
}
