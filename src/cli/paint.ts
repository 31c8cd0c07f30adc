// Colours, where people look: on a terminal, unless NO_COLOR is set.

const codes = { faint: 2, good: 32, bad: 31, warn: 33 } as const

export type Style = keyof typeof codes

export type Paint = (style: Style | undefined, text: string) => string

export const plain: Paint = (_style, text) => text

export const coloured: Paint = (style, text) =>
  style === undefined || text === "" ? text : `\x1b[${codes[style]}m${text}\x1b[0m`

/** As no-color.org has it: an empty NO_COLOR is none. */
export const paintFor = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Paint => (stream.isTTY === true && !env.NO_COLOR ? coloured : plain)
