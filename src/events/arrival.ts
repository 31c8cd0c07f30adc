// An event that has come to this node: one value for all who get it here.
//
// A1. Its body is decoded when somebody looks, and once for all who decode it alike.

import { asError } from "../messaging/thrown.ts"
import type { Codec } from "../protocol/codec.ts"
import { format } from "../wire/address.ts"
import type { EventKey } from "../wire/event-key.ts"
import type { EventItem } from "../wire/item.ts"

export type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string }

export class Arrival {
  readonly item: EventItem
  readonly key: EventKey
  /** ms since the epoch: when it was emitted, or else when it came. */
  readonly at: number
  /** About as many as it takes. */
  readonly bytes: number
  /** Its number in the stream that it was read from. */
  readonly offset: number | undefined
  #messageId: string | undefined
  #codec: Codec | undefined
  #body: Body | undefined

  /** @param now ms since the epoch. */
  constructor(item: EventItem, key: EventKey, bytes: number, now: number, offset?: number) {
    this.item = item
    this.key = key
    this.at = item.at ?? now
    this.bytes = bytes
    this.offset = offset
  }

  /** The address that emitted it. */
  get source(): string {
    return this.item.sender ?? format(this.key.source)
  }

  get messageId(): string {
    this.#messageId ??= `${this.item.node}:${this.item.id}`
    return this.#messageId
  }

  body(codec: Codec): Body {
    if (this.#body === undefined || this.#codec !== codec) {
      this.#codec = codec
      this.#body = this.#decode(codec)
    }
    return this.#body
  }

  #decode(codec: Codec): Body {
    try {
      return { ok: true, value: codec.decode(this.item.payload) }
    } catch (error) {
      return { ok: false, why: asError(error).message }
    }
  }
}
