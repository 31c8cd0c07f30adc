// Topic patterns as the AMQP specification puts them, and nothing else: `*` is one word, `#` is none, or one and again `#`.

export const oracle = (pattern: ReadonlyArray<string>, words: ReadonlyArray<string>): boolean => {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === "#") return oracle(rest, words) || (words.length > 0 && oracle(pattern, words.slice(1)))
  return words.length > 0 && (first === "*" || first === words[0]) && oracle(rest, words.slice(1))
}
