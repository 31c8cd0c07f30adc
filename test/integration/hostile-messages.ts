// Messages of somebody who is careless or means harm: random bytes, and valid messages with parts replaced. Seeded.

import type { Outgoing } from "../../src/broker/broker.ts"
import { batchType } from "../../src/wire/batch.ts"

/** Mulberry32: from 0 up to 1, the same sequence for the same seed. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Target {
  readonly exchange: string
  readonly routingKey: string
  /** Names of messages that the actor knows. */
  readonly names: ReadonlyArray<string>
}

export interface Hostile {
  readonly message: Outgoing
  /** How many it carries: the items of a batch, or one. */
  readonly envelopes: number
}

/** Gives one message after the other. */
export const hostileMessages = (random: () => number, target: Target): (() => Hostile) => {
  const below = (n: number) => Math.floor(random() * n)
  const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)] as A
  const maybe = (chance: number) => random() < chance
  const bytes = (most: number) => Buffer.from(Array.from({ length: below(most) }, () => below(256)))
  const text = (most: number) => bytes(most).toString("latin1")

  const odd: ReadonlyArray<() => unknown> = [
    () => null,
    () => true,
    () => -1,
    () => 1.5,
    () => 2 ** 53,
    () => -Number.MAX_VALUE,
    () => "",
    () => "__proto__",
    () => text(40),
    () => "x".repeat(2000),
    () => [],
    () => Array.from({ length: 70 }, () => "y"),
    () => ({}),
    () => ({ constructor: { prototype: { polluted: true } } }),
    () => JSON.parse('{"__proto__":{"polluted":true}}'),
    () => ({ "warren-attempts": 1, x: [1] }),
  ]
  const item = (): Record<string, unknown> => {
    const base = { i: below(1e6), n: pick([...target.names, "toString", "__proto__", text(10)]), p: below(100) }
    const later = Date.now() + 10_000
    return pick<() => Record<string, unknown>>([
      () => ({ k: "t", ...base }),
      () => ({ k: "a", ...base, d: later, c: ["node:1"], w: ["a/b/c"], f: "a/b/c", h: { trace: "1" } }),
      // Of asks that nobody made: who may publish to an inbox and knows an open id can answer it.
      () => ({ k: "r", i: 1e9 + below(100), v: 1, s: 0.5 }),
      () => ({ k: "c", i: 1e9 + below(100) }),
      () => ({
        ...{
          k: "f",
          i: 1e9 + below(100),
          j: below(100),
          r: replyTo(),
          m: pick(["o", "i", "c", "s", "e", "a", "n", "?"]),
        },
        ...{ q: below(5), c: [below(100), below(100)], b: below(100), v: [below(100)], y: true },
      }),
      () => ({ k: "z", ...base }),
    ])()
  }
  const broken = (value: Record<string, unknown>): unknown => {
    if (maybe(0.05)) return pick(odd)()
    for (let times = below(3); times > 0; times--) {
      value[pick([...Object.keys(value), "t", "h", "c", "w", "f", "k", "i", "n", "p", "d"])] = pick(odd)()
    }
    return value
  }
  /** One byte changed, cut off, doubled, or in the wrong encoding. */
  const scratched = (body: Buffer): Buffer => {
    if (body.length === 0) return body
    const at = below(body.length)
    return pick([
      () => {
        const copy = Buffer.from(body)
        copy[at] = below(256)
        return copy
      },
      () => body.subarray(0, at),
      () => Buffer.concat([body, body.subarray(at)]),
      () => Buffer.from(body.toString("utf8"), "utf16le"),
    ])()
  }
  const batchBody = (envelopes: number): Buffer => {
    const batch: Record<string, unknown> = {
      node: maybe(0.9) ? "hostile" : pick(odd)(),
      items: maybe(0.95) ? Array.from({ length: envelopes }, () => broken(item())) : pick(odd)(),
    }
    const body = Buffer.from(JSON.stringify(batch))
    return maybe(0.3) ? scratched(body) : body
  }
  const plainBody = (): Buffer =>
    pick([
      () => bytes(60),
      () => Buffer.from(JSON.stringify(pick(odd)())),
      () => Buffer.from(String(below(100))),
      () => Buffer.from("[".repeat(below(5000))),
      () => Buffer.from(`{"a":${'{"a":'.repeat(below(500))}`),
      () => Buffer.alloc(0),
    ])()
  const headers = (): Record<string, string | number | boolean> => {
    const names = [
      "x-death",
      "x-delivery-count",
      "warren-split",
      "warren-replays",
      "warren-attempts",
      "warren-deadline",
    ]
    const values = [-1, 0, 1, 2 ** 40, -0.5, true, "", "NaN", text(30)]
    return Object.fromEntries(
      Array.from({ length: below(4) }, () => [pick([...names, "a", "constructor", "__proto__"]), pick(values)]),
    )
  }
  const replyTo = () => pick(["no-such-queue", "amq.rabbitmq.reply-to.forged", text(20), target.routingKey])

  return () => {
    const isBatch = maybe(0.6)
    const envelopes = isBatch ? 1 + below(5) : 1
    const contentTypes = ["application/json", "application/vnd.warren.v2+json", "text/plain", "", text(20), batchType]
    const message = {
      exchange: target.exchange,
      routingKey: target.routingKey,
      contentType: isBatch ? batchType : pick(contentTypes),
      body: isBatch ? batchBody(envelopes) : plainBody(),
      ...(maybe(0.5) ? { headers: headers() } : {}),
      ...(maybe(0.5) ? { type: pick([...target.names, "constructor", text(20)]) } : {}),
      ...(maybe(0.5) ? { messageId: pick(["same", text(30)]) } : {}),
      ...(maybe(0.4) ? { replyTo: replyTo() } : {}),
      ...(maybe(0.3) ? { correlationId: text(30) } : {}),
      ...(maybe(0.1) ? { contentEncoding: pick(["gzip", text(10)]) } : {}),
      ...(maybe(0.1) ? { timestamp: pick([0, 1e12]) } : {}),
      ...(maybe(0.05) ? { expiration: pick([0, 1, 60_000]) } : {}),
      ...(maybe(0.1) ? { appId: text(10) } : {}),
    }
    return { message, envelopes }
  }
}
