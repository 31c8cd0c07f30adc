// What a word is: what GNU `wc -w` (coreutils up to 9.4) takes for one. Pure; text is latin1, a character for each byte.
//
// W1. White space separates words. In a UTF-8 locale the spaces of Unicode do so too.
// W2. What is between two separators is a word if anything in it is printable: in the C locale that is ASCII, in a UTF-8
//     locale also every well-formed character of several bytes. Stray bytes neither make words nor part them. (`wc` also
//     passes over code points that its version of Unicode does not know; here they are printable.)

import type { Part } from "./protocol.ts"

export interface Rule {
  readonly separator: RegExp
  readonly printable: RegExp
  /** No cut between two parts of a line may fall before such a character, if it can be helped. */
  readonly continues: RegExp
}

export const asciiRule: Rule = { separator: /[ \t-\r]+/, printable: /[!-~]/, continues: /(?!)/ }

const unicodeSpace =
  "\\xc2\\xa0|\\xe1\\x9a\\x80|\\xe2(?:\\x80[\\x80-\\x8a\\xa8\\xa9\\xaf]|\\x81[\\x9f\\xa0])|\\xe3\\x80\\x80"
const severalBytes = [
  "\\xc2[\\xa0-\\xbf]|[\\xc3-\\xdf][\\x80-\\xbf]",
  "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}|\\xed[\\x80-\\x9f][\\x80-\\xbf]",
  "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
].join("|")

export const utf8Rule: Rule = {
  separator: new RegExp(`(?:[ \\t-\\r]|${unicodeSpace})+`),
  printable: new RegExp(`[!-~]|${severalBytes}`),
  continues: /[\x80-\xbf]/,
}

/** The rule that `wc` follows under these environment variables. */
export const ruleOf = (env: Readonly<Record<string, string | undefined>>): Rule =>
  /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "") ? utf8Rule : asciiRule

export const countWords = (text: string, rule: Rule): number => {
  let words = 0
  for (const run of text.split(rule.separator)) if (rule.printable.test(run)) words++
  return words
}

export const describePart = (text: string, rule: Rule): Part => {
  const runs = text.split(rule.separator)
  const isWord = runs.map((run) => rule.printable.test(run))
  return {
    words: isWord.filter(Boolean).length,
    begins: isWord[0] === true,
    ends: isWord.at(-1) === true,
    solid: runs.length === 1,
  }
}

/** The parts of one line so far; `inWord`: the next part may go on with a word that is counted already. */
export interface Sum {
  readonly words: number
  readonly inWord: boolean
}
export const nothingYet: Sum = { words: 0, inWord: false }

export const addPart = ({ words, inWord }: Sum, part: Part): Sum => ({
  words: words + part.words - (inWord && part.begins ? 1 : 0),
  inWord: part.ends || (part.solid && inWord),
})
