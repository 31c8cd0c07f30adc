// Topics: words with dots between them, and the patterns that choose among them, as AMQP has them.
//
// T1. In a pattern `*` is exactly one word and `#` is any number of words, none included.

/** Words may be empty, but the empty text has none at all. */
export const wordsOf = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split("."))

/**
 * T1, without backtracking over more than the last `#`: what an earlier `#` took can never need to change once a later
 * one is reached, so the cost is at most pattern times words.
 */
export const matches = (pattern: ReadonlyArray<string>, words: ReadonlyArray<string>): boolean => {
  let p = 0
  let w = 0
  let hash = -1
  let resume = 0
  while (w < words.length) {
    const wanted = pattern[p]
    if (wanted === "#") {
      hash = p++
      resume = w
    } else if (p < pattern.length && (wanted === "*" || wanted === words[w])) {
      p++
      w++
    } else if (hash >= 0) {
      p = hash + 1
      w = ++resume
    } else {
      return false
    }
  }
  while (pattern[p] === "#") p++
  return p === pattern.length
}

/** What would break a line of a log, and what cannot be told from a pattern. */
const unfit = /[*#]|\p{Cc}/u

/** Why an event cannot have this topic, or undefined. */
export const topicProblem = (topic: string): string | undefined => {
  const words = wordsOf(topic)
  return words.some((word) => word === "" || unfit.test(word))
    ? `topic ${JSON.stringify(topic)}: want words with dots between them, without "*" and "#"`
    : undefined
}

/** Why this is no pattern of topics, or undefined. */
export const patternProblem = (pattern: string): string | undefined => {
  const words = wordsOf(pattern)
  const wrong = (word: string) => word === "" || (word !== "*" && word !== "#" && unfit.test(word))
  return words.some(wrong)
    ? `topic ${JSON.stringify(pattern)}: want words with dots between them; "*" is any one word, "#" any number of them`
    : undefined
}
