// What the compiler knows of events: who may emit what, what subscribers get, and what it refuses. Compiled, never run.

import { Effect, Schema, type Scope, type Stream } from "effect"
import {
  type ActorSystem,
  actor,
  ask,
  batch,
  type EventMessage,
  event,
  events,
  type OpenSubscription,
  protocol,
  type Ref,
  type Self,
  type Source,
  type Subscription,
} from "warren"
import type { Actors, AskError, EffectClient } from "warren/effect"
import { emit, Actors as Node } from "warren/effect"
import { z } from "zod"
import { same } from "./same.ts"

const Till = protocol("till", "1.0.0", {
  open: ask({}),
  sold: event(Schema.Struct({ price: Schema.Number })),
  closed: event(Schema.Void),
  dated: event(z.object({ at: z.string().transform((text) => new Date(text)) })),
  settings: event(Schema.Struct({ factor: Schema.Number }), { retain: "last" }),
})
type Sale = EventMessage<{ readonly price: number }>

declare const till: Ref<typeof Till>
declare const effects: EffectClient<(typeof Till)["messages"]>
declare const system: ActorSystem
declare const self: Self<(typeof Till)["messages"]>

export const subscribers = async (): Promise<void> => {
  same<ReturnType<typeof till.sold>, Subscription<Sale>>(true)
  for await (const sale of till.sold({ topic: "eu.#", headers: { big: true }, match: "any" })) {
    same<typeof sale, Sale>(true)
    same<typeof sale.body.price, number>(true)
    break
  }
  same<OpenSubscription<Sale>, Awaited<ReturnType<ReturnType<typeof till.sold>["open"]>>>(true)
  for await (const sales of till.sold({ group: "billing", maxDeliveries: 5 }).batches({ max: 10 })) {
    same<typeof sales, ReadonlyArray<Sale>>(true)
  }
  for await (const { body } of till.dated()) same<typeof body.at, Date>(true)
  for await (const { body } of system.events(Till).sold({ id: "1" })) same<typeof body.price, number>(true)
  till.settings({ from: new Date() })
  till.settings({ resume: "audit", from: 12 })

  // @ts-expect-error an ask is no event
  system.events(Till).open
  // @ts-expect-error the id is that of the ref
  till.sold({ id: "1" })
  // @ts-expect-error a group is not replayed
  till.sold({ group: "g", from: "first" })
  // @ts-expect-error what waits at the broker has no buffer here
  till.sold({ group: "g", buffer: 3 })
  // @ts-expect-error no such start
  till.sold({ from: "middle" })
  // @ts-expect-error headers are scalars
  till.sold({ headers: { list: [] } })
}

export const streams = Effect.gen(function* () {
  same<ReturnType<typeof effects.sold>, Stream.Stream<Sale, AskError>>(true)
  const open = yield* effects.sold.open({ topic: "eu" })
  same<typeof open, Stream.Stream<Sale, AskError>>(true)
  const several = effects.sold.batches({ max: 3 })
  same<typeof several, Stream.Stream<ReadonlyArray<Sale>, AskError>>(true)
  const all = yield* Node.events(Till)
  same<ReturnType<typeof all.sold>, Stream.Stream<Sale, AskError>>(true)
  all.sold({ id: "1" })
  yield* emit(self, "sold", { price: 1 }, { topic: "eu" })
  // @ts-expect-error not an event
  yield* emit(self, "open", {})
  // @ts-expect-error a wrong body
  yield* emit(self, "sold", { price: "1" })
})
same<typeof streams, Effect.Effect<void, AskError, Actors | Scope.Scope>>(true)

const settings = events(Till).settings({ id: "main" })
same<typeof settings, Source<EventMessage<{ readonly factor: number }>>>(true)

export const listening = actor(
  Till,
  (self) => {
    void self.emit("closed", undefined)
    void self.emit("dated", { at: "2020-01-01" })
    self.on(events(Till).sold({ topic: "eu.#" }), (body, sale) => {
      same<typeof body.price, number>(true)
      same<typeof sale, Sale>(true)
    })
    self.on(till.sold(), async ({ price }) => void price)
    self.on(system.events(Till).sold(), ({ price }) => Effect.sync(() => void price))
    self.on(
      till.sold({ group: "g" }),
      batch({ max: 10 }, (bodies, sales) => {
        same<(typeof bodies)[number]["price"], number>(true)
        same<typeof sales, ReadonlyArray<Sale>>(true)
      }),
    )
    const stop = self.on(settings, ({ factor }) => void factor)
    same<typeof stop, () => void>(true)
    same<ReturnType<typeof latest>, { readonly factor: number }>(true)
    const latest = () => self.latest(settings)
    return { open: () => {} }
  },
  { needs: [settings] },
)

// @ts-expect-error a wrong body
self.on(till.sold(), (body: string) => void body)
// @ts-expect-error an Effect that needs a service has none here
self.on(till.sold(), () => Effect.asVoid(Node.events(Till)))
const texts = batch({ max: 2 }, (all: ReadonlyArray<string>) => void all)
// @ts-expect-error a batch of something else
self.on(till.sold(), texts)
// @ts-expect-error no such event
events(Till).opened()
// @ts-expect-error events are described before they are needed
actor(Till, { open: () => {} }, { needs: [Till] })
// @ts-expect-error nothing else is kept than the last, or some of them
event(Schema.Number, { retain: "first" })
