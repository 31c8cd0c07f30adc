// Actors that emit, and loops that collect: what the suites of events begin with.

import { Schema } from "effect"
import { actor, ask, event, protocol, type Subscription, type } from "../../src/index.ts"
import { eventually } from "./eventually.ts"

export const Till = protocol("till", "1.0.0", {
  /** Emits as it is told, one after the other. */
  sell: ask({
    payload: Schema.Array(
      Schema.Struct({
        body: Schema.Number,
        topic: Schema.optionalKey(Schema.String),
        headers: Schema.optionalKey(
          Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean])),
        ),
      }),
    ),
  }),
  sold: event(Schema.Number),
  /** The same, readable for everybody. */
  open: ask({
    payload: type<{ readonly body: unknown; readonly headers?: Record<string, string | number | boolean> }>(),
  }),
  opened: event(type<unknown>(), { plain: true }),
})

export const till = actor(Till, (self) => ({
  sell: async (sales) => {
    for (const { body, ...options } of sales) await self.emit("sold", body, options)
  },
  open: ({ body, headers }) => self.emit("opened", body, headers === undefined ? {} : { headers }),
}))

/** Numbers with a topic. */
export const sales = (bodies: ReadonlyArray<number>, topic?: string) =>
  bodies.map((body) => (topic === undefined ? { body } : { body, topic }))

export interface Collected<A> {
  readonly events: ReadonlyArray<A>
  /** Resolves when so many are there. */
  readonly count: (count: number) => Promise<void>
  /** Leaves the loop. */
  readonly close: () => Promise<void>
  /** How the loop ended. */
  readonly over: Promise<void>
}

/** Subscribes, and collects all that comes until it is closed. */
export const collect = async <A>(subscription: Pick<Subscription<A>, "open">): Promise<Collected<A>> => {
  const events: Array<A> = []
  const loop = await subscription.open()
  const run = async () => {
    for await (const event of loop) events.push(event)
  }
  const over = run()
  over.catch(() => {})
  return {
    events,
    over,
    close: loop.close,
    count: (count) => eventually(`${count} events, there are ${events.length}`, () => events.length >= count),
  }
}

/** Takes so many, and leaves. */
export const take = async <A>(events: AsyncIterable<A>, count: number): Promise<ReadonlyArray<A>> => {
  const taken: Array<A> = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
}

export const bodies = <B>(events: ReadonlyArray<{ readonly body: B }>): ReadonlyArray<B> =>
  events.map(({ body }) => body)
