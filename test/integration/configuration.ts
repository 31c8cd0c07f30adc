// Configuration that an actor needs before it takes any mail (docs/semantics.md, "Events").

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { actor, ask, child, event, events, protocol, supervisor, tell, type } from "../../src/index.ts"
import { sourceKey } from "../../src/wire/event-key.ts"
import { type Bench, domain } from "./bench.ts"
import { take } from "./event-fixture.ts"
import { eventually } from "./eventually.ts"
import { rejection } from "./rejection.ts"

export const configuration = (bench: Bench): void => {
  /** A protocol of this test alone, as its newest event outlives it. */
  const open = () => {
    const Config = protocol(`config-${bench.id()}`, "1.0.0", {
      set: ask({ payload: Schema.Number }),
      settings: event(Schema.Struct({ factor: Schema.Number }), { retain: "last" }),
      other: event(Schema.String, { retain: "last" }),
    })
    const config = actor(Config, (self) => ({ set: (factor) => self.emit("settings", { factor }) }))
    for (const name of ["settings", "other"]) {
      const source = { domain, type: Config.name, id: "main", major: 1, event: name }
      bench.claimQueue(bench.names.retained(sourceKey(source)))
    }
    const settings = events(Config).settings({ id: "main" })
    const Shop = protocol(`shop-${bench.id()}`, "1.0.0", {
      price: ask({ payload: Schema.Number, reply: Schema.Number }),
      note: tell(Schema.String),
      log: ask({ reply: type<ReadonlyArray<unknown>>() }),
      crash: ask({}),
    })
    const log: Array<unknown> = []
    let makings = 0
    const shop = (options: object = {}) =>
      actor(
        Shop,
        (self) => {
          makings++
          log.push(`made with ${self.latest(settings).factor}`)
          self.on(settings, ({ factor }) => void log.push(`now ${factor}`))
          return {
            price: (n) => n * self.latest(settings).factor,
            note: (text) => void log.push(text),
            log: () => log,
            crash: () => {
              throw new Error("down")
            },
          }
        },
        { needs: [settings], ...options },
      )
    return { Config, config, settings, Shop, shop, log, makings: () => makings }
  }

  describe("an actor that needs a configuration", () => {
    it("takes no mail before it has it, and then with it, whoever came first (1)", async () => {
      const { Config, config, shop, log, makings } = open()
      const ref = await bench.spawn(shop())
      await ref.note("early")
      const early = ref.price(3)
      const system = await bench.system
      await eventually("it says what it waits for", () => system.printTree().includes("waits for test.config-"))
      expect([makings(), log], "no factory, and no message").toStrictEqual([0, []])
      const main = await bench.spawn(config, { id: "main" })
      await main.set(2)
      expect(await early).toBe(6)
      expect(log).toStrictEqual(["made with 2", "early"])
      expect(system.printTree()).not.toContain("waits for")
      expect((await take(system.ref(Config, "main").settings({ from: "last" }), 1))[0]!.body).toStrictEqual({
        factor: 2,
      })
    })

    it("has it at once when it was emitted before, also when nobody is there who could emit it", async () => {
      const { config, shop, log } = open()
      const first = await bench.start()
      const main = await first.spawn(config, { id: "main" })
      bench.claim(config.protocol, "main")
      await main.set(2)
      await main.set(5)
      await first.stop()
      const ref = await bench.spawn(shop())
      expect(await ref.price(3)).toBe(15)
      // What is the newest may have come in one piece with what was before it.
      expect(log.at(-1)).toMatch(/5$/)
    })

    it("is given a new one in a turn among its messages, and keeps it over a crash (1, 6)", async () => {
      const { config, shop, log } = open()
      const main = await bench.spawn(config, { id: "main" })
      await main.set(1)
      const ref = await bench.spawn(shop(), { backoff: { initial: 1, max: 2 } })
      expect(await ref.price(3)).toBe(3)
      await main.set(7)
      await eventually("it is told", () => log.includes("now 7"))
      expect(await ref.price(3)).toBe(21)
      await rejection(ref.crash())
      expect(await ref.price(2)).toBe(14)
      expect(log).toStrictEqual(["made with 1", "now 7", "made with 7"])
      await main.set(0)
      await eventually("the next cell is told as well", () => log.includes("now 0"))
      expect(await ref.price(2), "zero is a value").toBe(0)
    })

    it("does not hold up its siblings: what it needs may come from one that is started after it", async () => {
      const { Config, config, shop, Shop } = open()
      bench.claim(Config, "main")
      bench.claim(Shop, "front")
      const eager = actor(Config, async (self) => {
        await self.emit("settings", { factor: 4 })
        return { set: () => {} }
      })
      void config
      const tree = supervisor("app", {}, [child(shop(), { id: "front" }), child(eager, { id: "main" })])
      const system = await bench.start({ tree })
      expect(await system.ref(Shop, "front").price(2)).toBe(8)
    })

    it("waits for all that it needs, as the leader of a clique too (8)", async () => {
      const { Config, config, settings, shop, Shop, log } = open()
      const other = events(Config).other({ id: "main" })
      const id = bench.id()
      bench.claimClique(Shop, id)
      const ref = await bench.spawn(shop({ clique: "single", needs: [settings, other] }), { id })
      const main = await bench.spawn(
        actor(Config, (self) => ({
          set: (factor) => (factor < 0 ? self.emit("other", "") : self.emit("settings", { factor })),
        })),
        { id: "main" },
      )
      void config
      await main.set(2)
      const price = ref.price(4)
      const system = await bench.system
      await eventually("one is left", () => /waits for \S+\.other/.test(system.printTree()))
      expect(log).toStrictEqual([])
      await main.set(-1)
      expect(await price).toBe(8)
    })

    it("ignores one that does not fit, and keeps the last that did (7)", async () => {
      const { Config, config, shop, log } = open()
      const main = await bench.spawn(config, { id: "main" })
      await main.set(3)
      const ref = await bench.spawn(shop())
      expect(await ref.price(1)).toBe(3)
      const bad = (body: string) =>
        bench.publish({
          exchange: bench.names.events,
          routingKey: `test.${Config.name}.main.v1.settings`,
          mandatory: true,
          body: Buffer.from(body),
        })
      await bad('{"factor":"many"}')
      await bad("{")
      await main.set(4)
      await eventually("the next that fits is told", () => log.includes("now 4"))
      expect(log).toStrictEqual(["made with 3", "now 4"])
      expect(await ref.price(1)).toBe(4)
    })

    it("is refused when it asks for what nobody keeps (9)", async () => {
      const { Config, Shop } = open()
      const P = protocol("fleeting", "1.0.0", { gone: event(Schema.String) })
      const wrong = (needs: ReadonlyArray<ReturnType<ReturnType<typeof events<typeof P>>["gone"]>>) =>
        bench
          .spawn(actor(Shop, { price: () => 0, note: () => {}, log: () => [], crash: () => {} }, { needs }))
          .then(() => "started", String)
      expect(await wrong([events(P).gone({ id: "main" })])).toContain('retain: "last"')
      expect(await wrong([events(Config).settings() as never])).toContain("`id`")
      expect(await wrong([events(Config).settings({ id: "main", topic: "x" }) as never])).toContain(
        "nothing but the `id`",
      )
    })
  })
}
