// Tables as Markdown that also reads well on a terminal, and documents with marked blocks that a program fills.

const width = (text: string): number => [...text].length

/** The first column is left-aligned, and so are those named in `left` (by index); the others are right-aligned. */
export const table = (
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  left: readonly number[] = [],
): string => {
  const widths = head.map((title, column) => Math.max(3, width(title), ...rows.map((row) => width(row[column] ?? ""))))
  const isLeft = (column: number) => column === 0 || left.includes(column)
  const cell = (text: string, column: number) => {
    const fill = " ".repeat(widths[column]! - width(text))
    return isLeft(column) ? text + fill : fill + text
  }
  const line = (row: readonly string[]) => `| ${head.map((_, column) => cell(row[column] ?? "", column)).join(" | ")} |`
  const rule = widths.map((size, column) => (isLeft(column) ? "-".repeat(size) : `${"-".repeat(size - 1)}:`))
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n")
}

const opening = (name: string) => `<!-- bench:${name} -->`
const closing = "<!-- /bench -->"

/** The names of the blocks of a document, in their order. */
export const blocksOf = (document: string): readonly string[] =>
  [...document.matchAll(/<!-- bench:([\w-]+) -->/g)].map(([, name]) => name!)

/**
 * Replaces what stands in the blocks that are given, and keeps all else.
 *
 * @throws Error when the document has no such block, or one that is not closed.
 */
export const fill = (document: string, blocks: Readonly<Record<string, string>>): string =>
  Object.entries(blocks).reduce((text, [name, content]) => {
    const from = text.indexOf(opening(name))
    const inside = from + opening(name).length
    const to = text.indexOf(closing, inside)
    const next = text.indexOf("<!-- bench:", inside)
    if (from < 0) throw new Error(`there is no ${opening(name)} to fill`)
    if (to < 0 || (next >= 0 && next < to)) throw new Error(`${opening(name)} is not closed by ${closing}`)
    return `${text.slice(0, inside)}\n\n${content.trim()}\n\n${text.slice(to)}`
  }, document)
