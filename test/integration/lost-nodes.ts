// What lives on one node of the broker's cluster alone: the inbox of a process, its queue for beats, transient mailboxes.
// While that node is down its users do without (promises 4, 9, 12).

import { describe, expect, it } from "vitest"
import { type ActorOptions, type ActorSystem, AskError, actor, child, supervisor } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { Work } from "./fixtures/work.ts"
import { latch } from "./latch.ts"
import { LostNode } from "./lost-node.ts"
import { join } from "./presence-nodes.ts"
import { rejection } from "./rejection.ts"

export const lostNodes = (bench: Bench): void => {
  /** Consumers of a queue; undefined when there is none. */
  const consumers = async (queue: string): Promise<number | undefined> =>
    (await bench.run(bench.link.inspectQueue(queue)).catch(() => undefined))?.consumers
  const inbox = ({ node }: ActorSystem, generation: number) => bench.names.inbox(node, generation)
  const reads = (queue: string) => eventually(`${queue} is read`, async () => (await consumers(queue)) === 1)

  /** A worker that waits with its first item until it may go on. */
  const slow = async () => {
    const goOn = latch()
    bench.after(goOn.open)
    const begun: Array<number> = []
    const handle = async (n: number) => {
      begun.push(n)
      if (begun.length === 1) await goOn.opened
      return n
    }
    const { $id } = await bench.spawn(actor(Work, { echo: handle, item: async (n) => void (await handle(n)) }))
    return { id: $id, begun, goOn }
  }

  describe("an inbox", () => {
    it("that is deleted is followed by another, and open asks are answered there, in their order (4)(5)", async () => {
      const { id, begun, goOn } = await slow()
      const caller = await bench.start()
      const { echo } = caller.ref(Work, id)
      const asks = [1, 2, 3].map((n) => echo(n))
      await eventually("the first is handled", () => begun.length === 1)
      for (const generation of [1, 2]) {
        await bench.run(bench.link.deleteQueue(inbox(caller, generation)))
        await reads(inbox(caller, generation + 1))
      }
      goOn.open()
      expect(await Promise.all(asks)).toEqual([1, 2, 3])
      expect(begun.slice(0, 6)).toEqual([1, 2, 3, 1, 2, 3])
      expect(await echo(4)).toBe(4)
    })

    it("that the next link cannot have is followed by another; nothing overtakes what is asked again (4)(5)(9)", async () => {
      const { id, begun, goOn } = await slow()
      const node = new LostNode(bench)
      const caller = await bench.start({ broker: node.layer })
      const { echo } = caller.ref(Work, id)
      const asks = [1, 2, 3].map((n) => echo(n))
      await eventually("the first is handled", () => begun.length === 1)
      await eventually("they are confirmed", async () => (await bench.ready(bench.claim(Work, id))) === 0)
      node.cut()
      await node.take(inbox(caller, 1))
      asks.push(echo(4))
      await reads(inbox(caller, 2))
      goOn.open()
      expect(await Promise.all(asks)).toEqual([1, 2, 3, 4])
      // The fourth had not left: it is sent once.
      expect(begun).toEqual([1, 2, 3, 1, 2, 3, 4])
    })

    it("is tried for until there is one (4)", async () => {
      const { id, begun, goOn } = await slow()
      const node = new LostNode(bench)
      const caller = await bench.start({ broker: node.layer })
      const answer = caller.ref(Work, id).echo(1)
      await eventually("it is handled", () => begun.length === 1)
      node.refuse(3)
      await node.take(inbox(caller, 1))
      await eventually("there is one", async () => (await consumers(inbox(caller, 5))) === 1)
      goOn.open()
      expect(await answer).toBe(1)
      expect(node.links).toBe(1)
    })

    it("is kept over a reconnect, and nothing is asked again (4)", async () => {
      const { id, begun, goOn } = await slow()
      const node = new LostNode(bench)
      const caller = await bench.start({ broker: node.layer })
      const answer = caller.ref(Work, id).echo(1)
      await eventually("it is handled", () => begun.length === 1)
      node.cut()
      await eventually("there is another link", () => node.links === 2)
      await reads(inbox(caller, 1))
      goOn.open()
      expect(await answer).toBe(1)
      expect(begun).toEqual([1])
      expect(await consumers(inbox(caller, 2))).toBeUndefined()
    })

    it("takes the cancels for its actors with it (4)", async () => {
      const begun = latch()
      const aborted = latch()
      const waiting = actor(Work, {
        item: () => {},
        echo: (_, { signal }) =>
          new Promise<number>((resolve) => {
            signal.addEventListener("abort", () => {
              aborted.open()
              resolve(0)
            })
            begun.open()
          }),
      })
      const { $id } = await bench.spawn(waiting)
      const callee = await bench.system
      await bench.run(bench.link.deleteQueue(inbox(callee, 1)))
      const control = { exchange: bench.names.control, routingKey: bench.claim(Work, $id).split(".mailbox.")[1]! }
      await eventually("cancels get there", async () => {
        await bench.publish({ ...control, mandatory: true, body: Buffer.alloc(0) })
        return true
      })
      const caller = await bench.start()
      const giveUp = new AbortController()
      const cancelled = rejection(caller.ref(Work, $id).echo(1, { signal: giveUp.signal }))
      await begun.opened
      giveUp.abort()
      await cancelled
      await aborted.opened
    })
  })

  describe("a queue for beats", () => {
    it("is for one link: the next one has another, and the last one goes (12)", async () => {
      const a = await join(bench)
      await join(bench, () => [{ address: "acme/worker/1" }])
      const shown = async () => (await a.registry.list()).map(({ address }) => address)
      expect(await shown()).toEqual(["acme/worker/1"])
      await reads(bench.names.beats(a.id, 1))
      a.cut()
      a.reconnect()
      await reads(bench.names.beats(a.id, 2))
      await eventually("the first is gone", async () => (await consumers(bench.names.beats(a.id, 1))) === undefined)
      expect(await shown()).toEqual(["acme/worker/1"])
    })

    it("that is deleted is followed by another, as often as that happens (12)", async () => {
      const a = await join(bench)
      await join(bench, () => [{ address: "acme/worker/1" }])
      await a.registry.list()
      for (const nth of [1, 2]) {
        await reads(bench.names.beats(a.id, nth))
        await bench.run(bench.link.deleteQueue(bench.names.beats(a.id, nth)))
      }
      await reads(bench.names.beats(a.id, 3))
      expect(await a.registry.list()).toHaveLength(1)
    })
  })

  describe("a transient mailbox", () => {
    /** A system with two actors, one of which is to lose its mailbox. */
    const house = () => {
      const node = new LostNode(bench)
      const ids = { transient: bench.id(), durable: bench.id() }
      const queue = bench.claim(Work, ids.transient)
      bench.claim(Work, ids.durable)
      let cells = 0
      const hooks = { onStart: () => void cells++ }
      const worker = (options: ActorOptions) => actor(Work, { echo: (n) => n, item: () => {} }, { ...options, hooks })
      const start = () =>
        bench.start({
          broker: node.layer,
          tree: supervisor("app", {}, [
            child(worker({ mailbox: "transient" }), { id: ids.transient }),
            child(worker({}), { id: ids.durable }),
          ]),
        })
      return { node, ids, queue, start, cells: () => cells }
    }
    type House = ReturnType<typeof house>

    const onlyTheOtherAnswers = async ({ ids }: House) => {
      const outside = await bench.system
      expect(await outside.ref(Work, ids.durable).echo(1)).toBe(1)
      const error = await rejection(outside.ref(Work, ids.transient).echo(1))
      expect(error).toBeInstanceOf(AskError)
      expect(error).toMatchObject({ reason: { _tag: "NoSuchActor" } })
    }
    const bothAnswer = async ({ ids, cells }: House) => {
      const outside = await bench.system
      await eventually("it answers", async () => (await outside.ref(Work, ids.transient).echo(1)) === 1)
      expect(await outside.ref(Work, ids.durable).echo(1)).toBe(1)
      expect(cells()).toBe(2)
    }

    it.each([
      ["keeps", false],
      ["loses", true],
    ])("that a process loses, which %s its link, is waited for by its actor alone (9)", async (_, cut) => {
      const home = house()
      await home.start()
      await bothAnswer(home)
      if (cut) home.node.cut()
      await home.node.take(home.queue)
      await eventually("the other answers", async () => {
        await onlyTheOtherAnswers(home)
        return true
      })
      home.node.giveBack()
      await bothAnswer(home)
    })

    it("that cannot be had keeps nobody from starting (9)", async () => {
      const home = house()
      await home.node.take(home.queue)
      await home.start()
      await onlyTheOtherAnswers(home)
      home.node.giveBack()
      await bothAnswer(home)
    })
  })
}
