// A table as lines of text: columns are as wide as their widest cell. Pure.

import type { Paint, Style } from "./paint.ts"

/** How one column of a table about `A`s is made. */
export interface Column<in A> {
  readonly heading: string
  readonly text: (item: A) => string
  /** Numbers stand to the right. Default left. */
  readonly align?: "right"
  readonly style?: (item: A) => Style | undefined
}

/** The headings, then a line for each item; no line ends with spaces. */
export const table = <A>(
  columns: ReadonlyArray<Column<A>>,
  items: ReadonlyArray<A>,
  paint: Paint,
): ReadonlyArray<string> => {
  const drawn = columns.map(({ heading, text, align, style }, index) => {
    const cells = items.map(text)
    const last = index === columns.length - 1
    const width = last ? 0 : Math.max(heading.length, ...cells.map((cell) => cell.length))
    // Spaces stand outside of the colours.
    const draw = (cell: string, look: Style | undefined) => {
      const space = " ".repeat(Math.max(0, width - cell.length))
      return align === "right" ? space + paint(look, cell) : paint(look, cell) + space
    }
    return [draw(heading, "faint"), ...items.map((item, row) => draw(cells[row] ?? "", style?.(item)))]
  })
  return Array.from({ length: items.length + 1 }, (_, row) => drawn.map((column) => column[row]).join("  "))
}
