// Reads a file and has its words counted, line by line.

import { createReadStream } from "node:fs"
import { LineCutter, type Piece } from "./lines.ts"
import type { Pool } from "./pool.ts"
import type { Statistics } from "./statistics.ts"
import { addPart, nothingYet, type Rule, type Sum } from "./words.ts"

export interface Count {
  readonly words: number
  readonly lines: number
  readonly bytes: number
}

export interface FileTotal extends Count {
  readonly file: string
}

const chunkSize = 64 * 1024

export interface ReaderOptions {
  readonly pool: Pool
  readonly rule: Rule
  readonly statistics: Statistics
  /** The first line that ends after so many bytes of all files makes its counter crash, once. */
  readonly tripAt: number
}

/** The reader of all files of a run. */
export const reader = ({ pool, rule, statistics, tripAt }: ReaderOptions) => {
  let tripped = false
  const trips = (): boolean => {
    if (tripped || statistics.bytes < tripAt) return false
    tripped = true
    return true
  }

  /** Rejects when the file cannot be read, or a line gets no answer however often it is asked. */
  return async (file: string): Promise<Count> => {
    const cutter = new LineCutter(rule)
    const before = statistics.bytes
    let words = 0
    let lines = 0
    const longLines: Array<Promise<Sum>> = []
    let long: Promise<Sum> | undefined

    const take = ({ text, last }: Piece): void => {
      statistics.bytes += text.length
      if (last) lines++
      if (long === undefined && last) {
        if (text !== "") pool.line(text, trips()).then((more) => (words += more), noted)
        return
      }
      // Parts may be answered in any order; they are added in their own.
      const [sum, part] = [long ?? Promise.resolve(nothingYet), pool.part(text, trips())]
      long = Promise.all([sum, part]).then(([so, far]) => addPart(so, far))
      long.catch(noted)
      if (!last) return
      longLines.push(long)
      long = undefined
    }

    for await (const bytes of createReadStream(file, { highWaterMark: chunkSize }) as AsyncIterable<Buffer>) {
      for (const piece of cutter.push(bytes)) {
        take(piece)
        if (piece.last) statistics.bytes++ // its newline
        if (pool.full) await pool.room()
      }
    }
    for (const piece of cutter.end()) take(piece)
    await pool.idle()
    for (const line of longLines) words += (await line).words
    return { words, lines, bytes: statistics.bytes - before }
  }
}

/** The pool keeps the first failure, and `room` and `idle` throw it. */
const noted = (): void => {}
