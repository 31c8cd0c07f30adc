// Fields of items: how they are written as text, and what is checked of them when they are read.

/** Characters in a message's name: what the AMQP property `type` can hold. */
export const maxName = 255
/** Characters in a routing key. */
export const maxKey = 255
/** Characters in a node's name, a sender, and each entry of a chain or path. */
export const maxText = 1024

/** What JSON cannot say is null, which the receiver refuses. */
export const number = (value: number): string => (Number.isFinite(value) ? `${value}` : "null")

/** Nothing to escape: the common case by far, and cheaper to see than to stringify. */
const plain = /^[\w .:/-]*$/
export const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text))

export const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= max

export const isFiniteNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)
