// The Effect face: factories and handlers with services, Layers, trees, clients that give Effects.

import { Context, Effect, Exit, Layer, Schema } from "effect"
import { describe, expect, expectTypeOf, it } from "vitest"
import { type ActorDef, ActorSystem, actor, ask, child, protocol, supervisor } from "../../src/index.ts"
import { Actors } from "../../src/system/actors.ts"
import { type Bench, domain } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

class Db extends Context.Service<Db, { readonly find: (id: string) => Effect.Effect<string, NotThere> }>()("test/Db") {}
class NotThere extends Schema.TaggedError<NotThere>()("NotThere", { id: Schema.String }) {}

const Users = protocol("users", "1.0.0", {
  name: ask({ payload: Schema.String, reply: Schema.String, error: NotThere }),
  crash: ask({}),
})

const db = (log: Array<string> = []) =>
  Layer.effect(
    Db,
    Effect.acquireRelease(
      Effect.sync(() => {
        log.push("the database opens")
        return {
          find: (id: string) => (id === "1" ? Effect.succeed("Ada") : Effect.fail(new NotThere({ id }))),
        }
      }),
      () => Effect.sync(() => log.push("the database closes")),
    ),
  )

/** Needs a service to be made, and another look at it to handle; holds a resource per incarnation. */
const users = (log: Array<string> = []) =>
  actor(Users, (self) =>
    Effect.gen(function* () {
      const { find } = yield* Db
      yield* Effect.acquireRelease(
        Effect.sync(() => log.push(`cell ${self.incarnation} opens`)),
        () => Effect.sync(() => log.push(`cell ${self.incarnation} closes`)),
      )
      return {
        name: (id: string) => find(id),
        crash: () => Effect.die(new Error("down")),
      }
    }),
  )

/** Needs it in the handlers alone. */
const lazy = actor(Users, {
  name: (id) => Effect.flatMap(Db, ({ find }) => find(id)),
  crash: () => Effect.die(new Error("down")),
})

const soon = { backoff: { initial: 1, max: 2 } }

export const effects = (bench: Bench): void => {
  describe("an actor in Effect", () => {
    it("says in its type which services it needs, and a system cannot be started without them", () => {
      expectTypeOf(users()).toEqualTypeOf<ActorDef<typeof Users, Db>>()
      expectTypeOf(lazy).toEqualTypeOf<ActorDef<typeof Users, Db>>()
      const start = () =>
        // @ts-expect-error: `services` is missing
        ActorSystem.start({ ...bench.options, tree: child(lazy, { id: "x" }) })
      expect(start).toBeTypeOf("function")
    })

    it.for(["factory", "handlers"] as const)("gets its services from the system's layer (%s)", async (which) => {
      const id = bench.id()
      bench.claim(Users, id)
      const log: Array<string> = []
      const tree = supervisor("app", {}, [child(which === "factory" ? users(log) : lazy, { id, ...soon })])
      const system = await ActorSystem.start({ ...bench.options, tree, services: db(log) })
      bench.after(system.stop)
      const ref = system.ref(Users, id)
      expect(await ref.name("1")).toBe("Ada")
      const missing = await ref.name.outcome("2")
      expect(!missing.ok && missing.error).toBeInstanceOf(NotThere)
      expect(await ref.crash.outcome()).toMatchObject({ ok: false, error: { reason: { _tag: "Crashed" } } })
      expect(await ref.name("1")).toBe("Ada")
      await system.stop()
      const cells = ["cell 1 opens", "cell 1 closes", "cell 2 opens", "cell 2 closes"]
      expect(log).toStrictEqual(["the database opens", ...(which === "factory" ? cells : []), "the database closes"])
    })

    it("runs in a tree that is a Layer, for as long as the layer lives (11)", async () => {
      const id = bench.id()
      bench.claim(Users, id)
      const log: Array<string> = []
      const node = Actors.layer({ domain, prefix: bench.prefix }).pipe(Layer.provide(bench.venue.layer))
      const app = Actors.tree(supervisor("app", {}, [child(users(log), { id })])).pipe(Layer.provide(db(log)))
      const program = Effect.gen(function* () {
        const client = yield* Actors.ref(Users, id)
        const name = yield* client.name("1")
        const missing = yield* Effect.exit(client.name("2"))
        const { tree } = yield* Actors
        return { name, missing, text: JSON.stringify(yield* tree) }
      })
      const { name, missing, text } = await Effect.runPromise(
        program.pipe(Effect.provide(Layer.provideMerge(app, node))) as Effect.Effect<
          Effect.Success<typeof program>,
          unknown
        >,
      )
      expect(name).toBe("Ada")
      expect(Exit.isFailure(missing) && missing.cause.toString()).toContain("NotThere")
      expect(text).toContain(`test/users/${id}`)
      expect(log).toStrictEqual(["the database opens", "cell 1 opens", "cell 1 closes", "the database closes"])
    })

    it("that was spawned in a Scope ends with it (11)", async () => {
      const id = bench.id()
      bench.claim(Users, id)
      const log: Array<string> = []
      const program = Effect.gen(function* () {
        const inside = yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* Actors.spawn(users(log), { id })
            return yield* client.name("1")
          }),
        )
        log.push("the scope is closed")
        const client = yield* Actors.ref(Users, id)
        const outside = yield* Effect.flip(client.name("1", { timeout: 100 }))
        return { inside, outside }
      })
      const runtime = bench.effects()
      const { inside, outside } = await runtime.runPromise(program.pipe(Effect.provide(db())))
      expect(inside).toBe("Ada")
      expect(outside).toMatchObject({ _tag: "AskError", reason: { _tag: "TimedOut" } })
      expect(log).toStrictEqual(["cell 1 opens", "cell 1 closes", "the scope is closed"])
    })

    it("stops with its system though the release of a service dies (11)", async () => {
      const bad = Layer.effectDiscard(Effect.acquireRelease(Effect.void, () => Effect.die(new Error("stuck open"))))
      const system = await ActorSystem.start({ ...bench.options, services: bad })
      expect(await system.stop()).toBeUndefined()
      expect(await system.ended).toBeUndefined()
    })
  })

  describe("a call in Effect", () => {
    const Slow = protocol("slow", "1.0.0", {
      echo: ask({ payload: Schema.Number, reply: Schema.Number }),
      hang: ask({}),
    })
    const slow = (hanging = () => {}) =>
      actor(Slow, {
        echo: (n) => n,
        hang: (_, { signal }) => {
          hanging()
          return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)))
        },
      })

    it("may be made by a fiber that a handler left behind, when the deadline of its ask is long past (4)", async () => {
      const { $id } = await bench.spawn(slow())
      const go = latch()
      bench.after(go.open)
      let outcome: unknown
      const Lazy = protocol("lazy", "1.0.0", { begin: ask({}) })
      const id = bench.id()
      bench.claim(Lazy, id)
      const program = Effect.gen(function* () {
        const target = yield* Actors.ref(Slow, $id)
        const late = Effect.gen(function* () {
          yield* Effect.promise(() => go.opened)
          outcome = yield* Effect.exit(target.echo(7, { timeout: 5_000 }))
        })
        const client = yield* Actors.spawn(actor(Lazy, { begin: () => Effect.asVoid(Effect.forkDetach(late)) }), { id })
        yield* client.begin(undefined, { timeout: 300 })
      })
      const runtime = bench.effects()
      const from = performance.now()
      const whole = Effect.gen(function* () {
        yield* program
        yield* Effect.promise(() => eventually("its deadline is past", () => performance.now() - from > 400))
        go.open()
        yield* Effect.promise(() => eventually("the call has ended", () => outcome !== undefined))
      })
      await runtime.runPromise(Effect.scoped(whole))
      expect(outcome).toStrictEqual(Exit.succeed(7))
    })

    it("ends when its signal is aborted, or was before (4)", async () => {
      let hanging = 0
      const { $id } = await bench.spawn(slow(() => void hanging++))
      const abort = new AbortController()
      const call = Effect.flatMap(Actors.ref(Slow, $id), ({ hang }) => hang(undefined, { signal: abort.signal }))
      const runtime = bench.effects()
      const first = runtime.runPromise(Effect.flip(call))
      await eventually("it is handled", () => hanging === 1)
      abort.abort()
      expect(await first).toMatchObject({ _tag: "AskError", reason: { _tag: "Cancelled" } })
      expect(await runtime.runPromise(Effect.flip(call))).toMatchObject({ reason: { _tag: "Cancelled" } })
    })
  })
}
