// Warren on one page: a protocol, three ways to write a behaviour, supervision as data, two ways to call.
// Run it with `npx tsx examples/sample.ts`: the broker is inside the process.

import { Context, Effect, Layer, Schema } from "effect"
import { ActorSystem, actor, ask, child, type EventsOf, machine, protocol, supervisor, tell } from "warren"
import { Actors, Embedded } from "warren/effect"
import { assign, setup } from "xstate"

// 1. The protocol: one value. Effect Schema, zod or valibot (any Standard Schema), or type<T>() in any slot.

class Overflow extends Schema.TaggedError<Overflow>()("Overflow", { max: Schema.Number }) {}

export const Calculator = protocol("calculator", "1.2.0", {
  multiply: ask({
    payload: Schema.Struct({ x: Schema.Number, y: Schema.Number }),
    reply: Schema.Number,
    error: Overflow,
  }),
  multiplied: ask({ reply: Schema.Number }),
  reset: tell(Schema.Struct({ reason: Schema.String })),
})

// 2a. With promises: the factory runs once per incarnation, and state is what it closes over.

export const calculator = actor(
  Calculator,
  async (self) => {
    let count = 0
    self.defer(() => self.log("ended after", count))
    return {
      multiply: async ({ x, y }) => {
        // Declared, so it is a reply. Anything else that is thrown is a crash, and the supervisor's business.
        if (x * y > 1e6) throw new Overflow({ max: 1e6 })
        count++
        return x * y
      },
      multiplied: () => count,
      reset: () => {
        count = 0
      },
    }
  },
  { mailbox: "durable", concurrency: 1 },
)

// 2b. With Effect: the same function. What it needs is tracked by the compiler.

export class Db extends Context.Service<Db, { readonly save: (n: number) => Effect.Effect<void> }>()("app/Db") {
  static readonly saved: Array<number> = []
  static readonly layer = Layer.succeed(Db)({ save: (n) => Effect.sync(() => void Db.saved.push(n)) })
}

export const calculatorFx = actor(
  Calculator,
  Effect.fn(function* () {
    const db = yield* Db
    let count = 0
    return Calculator.of({
      multiply: Effect.fnUntraced(function* ({ x, y }) {
        if (x * y > 1e6) return yield* new Overflow({ max: 1e6 })
        yield* db.save(x * y)
        count++
        return x * y
      }),
      multiplied: () => Effect.sync(() => count),
      reset: () =>
        Effect.sync(() => {
          count = 0
        }),
    })
  }),
)

// 2c. With XState: the chart says which messages are legal now.

export const Door = protocol("door", "1.0.0", {
  open: ask({ reply: Schema.String }),
  close: ask({ reply: Schema.String }),
})

const chart = setup({
  types: { events: {} as EventsOf<typeof Door>, context: {} as { opened: number } },
}).createMachine({
  context: { opened: 0 },
  initial: "closed",
  states: {
    closed: {
      on: {
        open: {
          target: "open",
          actions: [({ event }) => event.reply.ok("opened"), assign({ opened: ({ context }) => context.opened + 1 })],
        },
      },
    },
    open: {
      on: { close: { target: "closed", actions: ({ event }) => event.reply.ok("closed") } },
    },
  },
})

export const door = actor(Door, machine(Door, chart))

// 3. Supervision is data.

export const tree = supervisor(
  "app",
  {
    strategy: "rest-for-one",
    intensity: { maxRestarts: 5, within: "1 minute" },
    backoff: { initial: "100 millis", max: "10 seconds" },
  },
  [
    child(calculator, { id: "plain" }),
    child(calculatorFx, { id: "main", restart: "permanent", shutdown: "5 seconds" }),
    child(door, { id: "front", restart: "transient" }),
  ],
)

// 4. Run it and call, with promises ...

export const withPromises = async (say: (line: string) => void): Promise<void> => {
  await using system = await ActorSystem.start({ domain: "acme", broker: "embedded", tree, services: Db.layer })
  say(system.printTree())

  const calc = system.ref(Calculator, "main")
  say(`5 * 7 = ${await calc.multiply({ x: 5, y: 7 })}`)

  // Typed errors as values.
  const outcome = await calc.multiply.outcome({ x: 1e4, y: 1e4 }, { timeout: "2 seconds" })
  if (outcome.ok) say(`fits: ${outcome.value}`)
  else if (outcome.error._tag === "Overflow") say(`too large: ${outcome.error.max} is the limit`)
  else say(`not answered: ${outcome.error.reason._tag}`)

  const plain = system.ref(Calculator, "plain")
  await plain.multiply({ x: 2, y: 3 })
  await plain.reset({ reason: "a new day" })
  say(`multiplied since the reset: ${await plain.multiplied()}`)

  const front = system.ref(Door, "front")
  say(`the door is ${await front.open()}`)
  const again = await front.open.outcome()
  if (!again.ok) say(again.error.message)
}

// ... or with Effects.

const node = Actors.tree(tree).pipe(
  Layer.provideMerge(Actors.layer({ domain: "acme" })),
  Layer.provide([Embedded.layer, Db.layer]),
)

export const withEffects = Effect.gen(function* () {
  const calc = yield* Actors.ref(Calculator, "main")
  const product = yield* calc.multiply({ x: 6, y: 7 })
  const limit = yield* calc
    .multiply({ x: 1e4, y: 1e4 })
    .pipe(Effect.catchTag("Overflow", (error) => Effect.succeed(error.max)))
  return { product, limit }
}).pipe(Effect.provide(node))

if (process.argv[1] === import.meta.filename) {
  await withPromises(console.log)
  console.log(await Effect.runPromise(withEffects))
}
