// What the compiler knows of reminders, and what it refuses. Compiled, never run.

import { Schema } from "effect"
import { actor, ask, type ListedReminder, protocol, type Reminded, tell } from "warren"
import { same } from "./same.ts"

const Shop = protocol("shop", "1.0.0", {
  open: tell(),
  report: tell(Schema.Struct({ day: Schema.Date })),
  note: tell(Schema.UndefinedOr(Schema.String)),
  total: ask({ reply: Schema.Number }),
})

export const shop = actor(
  Shop,
  (self) => ({
    open: async (_, { reminder }) => {
      same<typeof reminder, Reminded | undefined>(true)
      await self.remind("a", { every: "1 day", message: "open" })
      await self.remind("b", { at: new Date(), message: "report", payload: { day: new Date() } })
      await self.remind("c", { after: "5 seconds", every: "1 hour", message: "report", payload: { day: new Date() } })
      await self.remind("d", { at: 0, every: 5_000, message: "note" })
      await self.remind("e", { after: 5, message: "note", payload: "x" })
      const there = await self.forget("a")
      same<typeof there, boolean>(true)
      const list = await self.reminders()
      same<typeof list, ReadonlyArray<ListedReminder>>(true)
    },
    report: async () => {
      // @ts-expect-error when?
      await self.remind("x", { message: "open" })
      // @ts-expect-error at one time, or after another
      await self.remind("x", { at: 0, after: 1, message: "open" })
      // @ts-expect-error a payload is missing
      await self.remind("x", { at: 0, message: "report" })
      // @ts-expect-error not its payload
      await self.remind("x", { at: 0, message: "report", payload: { day: 1 } })
      // @ts-expect-error an ask, which nobody would get the answer of
      await self.remind("x", { at: 0, message: "total" })
      // @ts-expect-error no such message
      await self.remind("x", { at: 0, message: "close" })
      // @ts-expect-error it has no payload
      await self.remind("x", { at: 0, message: "open", payload: 1 })
    },
    note: () => {},
    total: () => 1,
  }),
  { reminders: true },
)
