// Cuts the bytes of a file into lines, and lines that are too long into parts. Pure.
//
// L1. What it holds back is less than one part, however long a line is.
// L2. No part is empty; a part is cut off only where no character is (words.ts, `continues`).

import type { Rule } from "./words.ts"

export interface Piece {
  /** Without its newline. */
  readonly text: string
  /** The line ends with this piece. */
  readonly last: boolean
}

/** Characters, so bytes, of one message at most. */
export const longest = 16 * 1024

/** A character of UTF-8 goes on for three bytes at most; what goes on longer is none. */
const cutAt = (text: string, from: number, most: number, rule: Rule): number => {
  const end = from + most
  for (let back = 0; back < Math.min(4, most); back++)
    if (!rule.continues.test(text.charAt(end - back))) return end - back
  return end
}

export class LineCutter {
  readonly #rule: Rule
  readonly #most: number
  #rest = ""

  /** @param most characters of one piece; at least 4. */
  constructor(rule: Rule, most: number = longest) {
    this.#rule = rule
    this.#most = most
  }

  /** The pieces that are complete with the next bytes of the file. */
  *push(bytes: Buffer): Generator<Piece> {
    const text = this.#rest + bytes.toString("latin1")
    let from = 0
    while (true) {
      const newline = text.indexOf("\n", from)
      const end = newline < 0 ? text.length : newline
      while (end - from > this.#most) {
        const cut = cutAt(text, from, this.#most, this.#rule)
        yield { text: text.slice(from, cut), last: false }
        from = cut
      }
      if (newline < 0) break
      yield { text: text.slice(from, newline), last: true }
      from = newline + 1
    }
    this.#rest = text.slice(from)
  }

  /** The last line, if no newline ends it. */
  *end(): Generator<Piece> {
    if (this.#rest !== "") yield { text: this.#rest, last: true }
    this.#rest = ""
  }
}
