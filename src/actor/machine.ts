// An XState machine as a behaviour: the chart decides which messages are legal in which state.
//
// X1. A message that the current state has no use for is refused with the state's name; an ask gets `Rejected`, a tell
//     goes to the dead letters. Nothing is dropped silently.
// X2. A chart that throws crashes this cell and nothing else.

import { Effect } from "effect"
import { type AnyStateMachine, createActor, type InputFrom } from "xstate"
import { Rejected } from "../protocol/errors.ts"
import type { Handlers } from "../protocol/handlers.ts"
import type { Ask, Messages, Tell } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Got, Sent } from "../protocol/slot.ts"
import type { Self } from "./self.ts"

/** Answers an ask, now or from a later transition; the first answer counts. */
export interface Reply<A, E> {
  readonly ok: (value: A) => void
  readonly fail: (error: E) => void
}

/** The events that a machine gets from a protocol: `setup({ types: { events: {} as EventsOf<typeof P> } })`. */
export type EventsOf<P extends { readonly messages: Messages }> = {
  [K in keyof P["messages"] & string]: P["messages"][K] extends Ask<infer I, infer O, infer E>
    ? { readonly type: K; readonly payload: Got<I>; readonly reply: Reply<Sent<O>, Sent<E>> }
    : P["messages"][K] extends Tell<infer I>
      ? { readonly type: K; readonly payload: Got<I> }
      : never
}[keyof P["messages"] & string]

export interface MachineOptions<Logic extends AnyStateMachine> {
  readonly input?: InputFrom<Logic>
}

/**
 * A behaviour for `actor`. A state may answer an ask from a later transition; with `concurrency: 1` nothing else is
 * handled until then, so such an actor wants `concurrency: "unbounded"` (a chart handles its events one by one anyway).
 */
export const machine =
  <P extends AnyProtocol, Logic extends AnyStateMachine>(
    protocol: P,
    logic: Logic,
    options: MachineOptions<Logic> = {},
  ): ((self: Self<P["messages"]>) => Handlers<P["messages"], never>) =>
  (self) => {
    const chart = createActor(logic as AnyStateMachine, "input" in options ? { input: options.input } : {})
    // Without an error observer XState rethrows from a timer, which takes the process down (X2).
    chart.subscribe({ error: () => {} })
    chart.start()
    self.defer(() => void chart.stop())
    const handle = (name: string, wantsReply: boolean) => (payload: unknown) =>
      Effect.callback<unknown, unknown>((resume) => {
        const reply: Reply<unknown, unknown> = {
          ok: (value) => resume(Effect.succeed(value)),
          fail: (error) => resume(Effect.fail(error)),
        }
        const event = { type: name, payload, reply }
        const before = chart.getSnapshot()
        if (!before.can(event)) {
          const state = typeof before.value === "string" ? before.value : JSON.stringify(before.value)
          return resume(Effect.fail(new Rejected({ why: `${name} is not accepted in state ${state}` })))
        }
        chart.send(event)
        const after = chart.getSnapshot()
        if (after.status === "error") return resume(Effect.die(after.error))
        if (!wantsReply) resume(Effect.void)
      })
    const handlers = Object.entries(protocol.messages)
      .filter(([, message]) => message.kind === "ask" || message.kind === "tell")
      .map(([name, message]) => [name, handle(name, message.kind === "ask")] as const)
    return Object.fromEntries(handlers) as unknown as Handlers<P["messages"], never>
  }
