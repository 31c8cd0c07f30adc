// A message kept as it came, to be sent again later: those of its properties that outlive one delivery.

import type { Headers, Scalar } from "./item.ts"
import { isHeader } from "./item-text.ts"

/** The properties of a message that are kept for sending it again. */
export interface RawProperties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly type?: string
  readonly messageId?: string
  readonly correlationId?: string
  readonly replyTo?: string
  readonly appId?: string
  /** Without the broker's own `x-*`. */
  readonly headers?: Headers
}

export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const scalarHeaders = (given: unknown): Headers | undefined => {
  if (!isObject(given)) return undefined
  const headers: Record<string, Scalar> = {}
  for (const name of Object.keys(given)) {
    const value = given[name]
    if (!/^x-/i.test(name) && isHeader(name, value)) headers[name] = value
  }
  return Object.keys(headers).length === 0 ? undefined : headers
}

const names = ["contentType", "contentEncoding", "type", "messageId", "correlationId", "replyTo", "appId"] as const

/** Those properties of a message that are worth keeping, cleaned of what is not a scalar. */
export const rawProperties = (
  message: {
    readonly [K in (typeof names)[number] | "headers"]?: unknown
  },
): RawProperties => {
  const kept: { [K in (typeof names)[number]]?: string } = {}
  for (const name of names) {
    const value = message[name]
    if (typeof value === "string") kept[name] = value
  }
  const headers = scalarHeaders(message.headers)
  return headers === undefined ? kept : { ...kept, headers }
}
