// XState machines as behaviours: the chart decides which messages are legal (promises 6, 7).

import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { assign, setup } from "xstate"
import { actor, ask, type EventsOf, machine, protocol, type Reply, tell } from "../../src/index.ts"
import type { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { reasonOf } from "./rejection.ts"

class Jammed extends Schema.TaggedError<Jammed>()("Jammed", {}) {}

const Door = protocol("door", "1.0.0", {
  open: ask({ reply: Schema.String, error: Jammed }),
  close: ask({ reply: Schema.String }),
  jam: tell(),
  explode: ask({}),
  /** Answered when the door is opened the next time. */
  wait: ask({ reply: Schema.String }),
  opened: ask({ reply: Schema.Number }),
})

const chart = setup({
  types: {
    events: {} as EventsOf<typeof Door>,
    context: {} as { readonly opened: number; readonly waiting: ReadonlyArray<Reply<string, never>> },
    input: {} as { readonly opened: number },
  },
}).createMachine({
  id: "door",
  initial: "closed",
  context: ({ input }) => ({ opened: input?.opened ?? 0, waiting: [] }),
  on: {
    opened: { actions: ({ event, context }) => event.reply.ok(context.opened) },
    explode: {
      actions: () => {
        throw new Error("boom")
      },
    },
  },
  states: {
    closed: {
      on: {
        open: {
          target: "open",
          actions: [
            ({ event, context }) => {
              event.reply.ok("it is open")
              for (const reply of context.waiting) reply.ok("it was opened")
            },
            assign({ opened: ({ context }) => context.opened + 1, waiting: [] }),
          ],
        },
        jam: "jammed",
        wait: { actions: assign({ waiting: ({ context, event }) => [...context.waiting, event.reply] }) },
      },
    },
    open: { on: { close: { target: "closed", actions: ({ event }) => event.reply.ok("it is closed") } } },
    jammed: { on: { open: { actions: ({ event }) => event.reply.fail(new Jammed()) } } },
  },
})

const soon = { backoff: { initial: 1, max: 2 } }

export const machines = (bench: Bench): void => {
  describe("a machine", () => {
    it("handles what its state allows, and refuses the rest by the state's name (7)", async () => {
      const ref = await bench.spawn(actor(Door, machine(Door, chart)))
      expect(await reasonOf(ref.close())).toMatchObject({
        _tag: "Rejected",
        why: "close is not accepted in state closed",
      })
      expect(await ref.open()).toBe("it is open")
      expect(await reasonOf(ref.open())).toMatchObject({ _tag: "Rejected", why: "open is not accepted in state open" })
      expect(await ref.close()).toBe("it is closed")
      expect(await ref.opened(), "a refusal is no crash").toBe(1)
    })

    it("sends a tell that its state has no use for to the dead letters (7)", async () => {
      const ref = await bench.spawn(actor(Door, machine(Door, chart)))
      await ref.open()
      await ref.jam()
      await eventually("it is dead", async () => (await bench.deadLetters(ref.$address)).length === 1)
      expect(await bench.deadLetters(ref.$address)).toMatchObject([
        { reason: "rejected", error: { message: expect.stringContaining("jam is not accepted in state open") } },
      ])
      expect(await ref.close()).toBe("it is closed")
    })

    it("answers with declared errors (4)", async () => {
      const ref = await bench.spawn(actor(Door, machine(Door, chart)))
      await ref.jam()
      const outcome = await ref.open.outcome()
      expect(outcome.ok).toBe(false)
      expect(!outcome.ok && outcome.error).toBeInstanceOf(Jammed)
    })

    it("that throws crashes its cell and nothing else; the next one starts at the beginning (6)", async () => {
      const ref = await bench.spawn(actor(Door, machine(Door, chart, { input: { opened: 5 } })), soon)
      const other = await bench.spawn(actor(Door, machine(Door, chart)))
      await Promise.all([ref.open(), other.open()])
      expect(await ref.opened()).toBe(6)
      expect(await reasonOf(ref.explode())).toMatchObject({ _tag: "Crashed", why: "boom" })
      expect(await ref.opened()).toBe(5)
      expect(await ref.open()).toBe("it is open")
      expect(await other.close()).toBe("it is closed")
    })

    it("may answer from a later transition, when its concurrency is unbounded (1)", async () => {
      const ref = await bench.spawn(actor(Door, machine(Door, chart), { concurrency: "unbounded" }))
      const waiting = [ref.wait(), ref.wait()]
      expect(await ref.opened()).toBe(0)
      expect(await ref.open()).toBe("it is open")
      expect(await Promise.all(waiting)).toStrictEqual(["it was opened", "it was opened"])
    })
  })
}
