// How many bytes of JSON a value takes at least: enough to see through a sender who understates.

/** Levels that are looked into. What lies deeper counts for nothing: it is not worth a stack overflow. */
const deepest = 64

export const leastBytes = (value: unknown, depth = 0): number => {
  if (typeof value === "string") return value.length + 2
  if (typeof value !== "object" || value === null) return 1
  if (depth >= deepest) return 2
  let bytes = 2
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) bytes += leastBytes(value[i], depth + 1)
    return bytes + Math.max(0, value.length - 1)
  }
  let count = 0
  for (const key in value) {
    bytes += key.length + 3 + leastBytes((value as Readonly<Record<string, unknown>>)[key], depth + 1)
    count++
  }
  return bytes + Math.max(0, count - 1)
}
