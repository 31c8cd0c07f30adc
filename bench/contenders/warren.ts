// Warren with its public face alone: schemas checked on both ends, deadlines and cancellation on, default options.
//
// What is not the default, and why: `concurrency: "unbounded"` where handlers take 0 to 5 ms, and one shared mailbox queue
// where many actors run side by side.

import { Effect, Schema } from "effect"
import { Connection } from "rabbitmq-client"
import {
  type ActorDef,
  type ActorOptions,
  ActorSystem,
  actor,
  ask,
  child,
  type EventsOf,
  event,
  machine,
  protocol,
  stream,
  supervisor,
  type Tree,
  tell,
} from "warren"
import { assign, setup } from "xstate"
import type { AskLoad, AskServer, Contender, EventClient, Payload, Place, TellClient } from "../contender.ts"
import { working } from "../contender.ts"

const Small = Schema.Struct({ id: Schema.Number, name: Schema.String })

const Order = Schema.Struct({
  id: Schema.Number,
  name: Schema.String,
  email: Schema.String,
  express: Schema.Boolean,
  currency: Schema.String,
  total: Schema.Number,
  rows: Schema.Array(
    Schema.Struct({
      sku: Schema.String,
      title: Schema.String,
      quantity: Schema.Number,
      price: Schema.Number,
      gift: Schema.Boolean,
    }),
  ),
  note: Schema.String,
})

const Echo = protocol("echo", "1.0.0", { ask: ask({ payload: Small, reply: Small }) })
const Orders = protocol("orders", "1.0.0", { ask: ask({ payload: Order, reply: Order }) })
const Notes = protocol("notes", "1.0.0", { note: tell(Small) })

const systemOf = (place: Place, tree?: Tree<never>) =>
  ActorSystem.start({
    domain: place.prefix,
    broker: place.url,
    signals: false,
    logLevel: "Error",
    ...(tree !== undefined && { tree }),
  })

const sharedQueue = "all"

/** Durable mailboxes outlive their system: they are taken away by their documented names (docs/wire.md). */
const removeMailboxes = async (place: Place, type: string, actors: number): Promise<void> => {
  const connection = new Connection({ url: place.url })
  await connection.queueDelete({ queue: `warren.mailbox.${place.prefix}.${sharedQueue}` })
  for (let each = 0; each < actors; each++)
    await connection.queueDelete({ queue: `warren.mailbox.${place.prefix}.${type}.${each}.v1` })
  await connection.close()
}

type AnyActor = ActorDef<any, never>

const serve = async (place: Place, def: AnyActor, actors: number): Promise<AskServer> => {
  const children = Array.from({ length: actors }, (_, each) => child(def, { id: String(each) }))
  const system = await systemOf(place, supervisor("bench", {}, children))
  return {
    stop: async () => {
      await system.stop()
      await removeMailboxes(place, def.protocol.name, actors)
    },
  }
}

const optionsFor = (load: AskLoad): ActorOptions => ({
  mailbox: load.durability,
  ...(load.work === "0-5ms" && { concurrency: "unbounded" }),
  ...(load.actors > 1 && { queue: sharedQueue }),
})

const askClient: Contender["askClient"] = async (load, place) => {
  const system = await systemOf(place)
  const actors = Array.from({ length: load.actors }, (_, each) => String(each))
  const stop = () => system.stop()
  if (load.size === 32) {
    const refs = actors.map((id) => system.ref(Echo, id))
    return { ask: (to, payload) => refs[to]!.ask(payload), stop }
  }
  const refs = actors.map((id) => system.ref(Orders, id))
  return { ask: (to, payload) => refs[to]!.ask(payload as Payload & typeof Order.Type), stop }
}

const plainly = (load: AskLoad, more: ActorOptions = {}) => {
  const options = { ...optionsFor(load), ...more }
  const handle = <A>(payload: A): A | Promise<A> => {
    const wait = working(load.work)
    return wait ? wait.then(() => payload) : payload
  }
  return load.size === 32 ? actor(Echo, { ask: handle }, options) : actor(Orders, { ask: handle }, options)
}

const serveTells = (place: Place, handled: () => void): Promise<AskServer> =>
  serve(place, actor(Notes, { note: () => handled() }), 1)

const tellClient = async (place: Place): Promise<TellClient> => {
  const system = await systemOf(place)
  const notes = system.ref(Notes, "0")
  return { tell: (payload) => notes.note(payload), stop: () => system.stop() }
}

const Ticker = protocol("ticker", "1.0.0", {
  ticked: event(Small),
  plainly: event(Small, { plain: true }),
})

const serveEvents =
  (name: "ticked" | "plainly"): NonNullable<Contender["serveEvents"]> =>
  async (place, subscribers, handled) => {
    const system = await systemOf(place)
    for (let each = 0; each < subscribers; each++) {
      const loop = await system.ref(Ticker, "0")[name]({ buffer: 100_000 }).open()
      void (async () => {
        for await (const _ of loop) handled()
      })()
    }
    return { stop: () => system.stop() }
  }

const eventClient =
  (name: "ticked" | "plainly") =>
  async (place: Place): Promise<EventClient> => {
    const system = await systemOf(place)
    let emit: (payload: Payload) => Promise<void> = () => Promise.reject(new Error("it has not started"))
    const ticker = actor(Ticker, (self) => {
      emit = (payload) => self.emit(name, payload)
      return {}
    })
    await system.spawn(ticker, { id: "0" })
    return {
      emit: (payload) => emit(payload),
      stop: async () => {
        await system.stop()
        await removeMailboxes(place, "ticker", 1)
      },
    }
  }

const Basin = protocol("basin", "1.0.0", { pour: ask({ payload: stream(Small), reply: Schema.Number }) })

const serveItems: Contender["serveItems"] = (place, handled) => {
  const basin = actor(
    Basin,
    {
      pour: async (items) => {
        for await (const _ of items) handled()
        return 0
      },
    },
    { mailbox: "transient" },
  )
  return serve(place, basin, 1)
}

const itemClient: Contender["itemClient"] = async (place) => {
  const system = await systemOf(place)
  const end = new AbortController()
  const drops = async function* () {
    for (let id = 0; ; id = (id + 1) % 10) yield { id, name: "x".repeat(15) }
  }
  const poured = system.ref(Basin, "0").pour.outcome(drops(), { signal: end.signal })
  return {
    stop: async () => {
      end.abort()
      await poured
      await system.stop()
    },
  }
}

const settings =
  "Default options, Effect schemas of all fields on both ends, deadlines and cancellation on; " +
  '`concurrency: "unbounded"` where handlers take 0 to 5 ms; many actors share a mailbox queue (`queue`).'

export const plain: Contender = {
  name: "Warren",
  settings,
  serveAsks: (load, place) => serve(place, plainly(load), load.actors),
  askClient,
  serveTells,
  tellClient,
  serveEvents: serveEvents("ticked"),
  eventClient: eventClient("ticked"),
  serveItems,
  itemClient,
}

export const plainEvents: Contender = {
  name: "Warren, plain events",
  settings: "As Warren; each event is an AMQP message of its own.",
  serveAsks: (load, place) => serve(place, plainly(load), load.actors),
  askClient,
  serveEvents: serveEvents("plainly"),
  eventClient: eventClient("plainly"),
}

export const compact: Contender = {
  name: "Warren, MessagePack",
  settings: 'As Warren, with `codec: "msgpack"` for the actor.',
  serveAsks: (load, place) => serve(place, plainly(load, { codec: "msgpack" }), load.actors),
  askClient,
}

export const ownQueues: Contender = {
  name: "Warren, a queue for each actor",
  settings: "As above, without `queue`.",
  serveAsks: (load, place) => serve(place, plainly({ ...load, actors: 1 }), load.actors),
  askClient,
}

/** Another behaviour of the small echo actor. */
const variant = (name: string, how: string, make: (options: ActorOptions) => AnyActor): Contender => ({
  name,
  settings: how,
  serveAsks: (load, place) => serve(place, make(optionsFor(load)), load.actors),
  askClient,
})

export const promises = variant("Warren, promise handler", "An async function.", (options) =>
  actor(Echo, { ask: async (payload) => payload }, options),
)

export const effects = variant(
  "Warren, Effect handler",
  "A handler that returns an Effect, made by Effect.gen.",
  (options) =>
    actor(
      Echo,
      {
        ask: (payload) =>
          Effect.gen(function* () {
            return yield* Effect.succeed(payload)
          }),
      },
      options,
    ),
)

const chart = setup({
  types: { events: {} as EventsOf<typeof Echo>, context: {} as { readonly asked: number } },
}).createMachine({
  context: { asked: 0 },
  initial: "open",
  states: {
    open: {
      on: {
        ask: {
          actions: [
            assign({ asked: ({ context }) => context.asked + 1 }),
            ({ event }) => event.reply.ok(event.payload),
          ],
        },
      },
    },
  },
})

export const machines = variant(
  "Warren, machine actor",
  "An XState machine that counts in its context and answers.",
  (options) => actor(Echo, machine(Echo, chart), options),
)
