// The actors: one sets the prices, the stalls sell, and bookkeepers write down what was sold.

import { actor, events } from "warren"
import { Books, Prices, prices, Stall } from "./protocol.ts"

export const board = actor(Prices, (self) => ({ set: (today) => self.emit("today", today) }))

export const stall = actor(
  Stall,
  (self) => {
    const priceOf = (goods: string): number => self.latest(prices)[goods] ?? 0
    return {
      price: priceOf,
      sell: async ({ goods, pieces, by }) => {
        const paid = priceOf(goods) * pieces
        await self.emit("sold", { goods, paid }, { topic: goods, headers: { by } })
        return paid
      },
      cry: async (times) => {
        const cries = Array.from({ length: times }, (_, n) => self.emit("cried", n))
        await Promise.all(cries)
      },
    }
  },
  { needs: [prices] }, // it takes no mail before it has them
)

/** What one bookkeeper has written. */
export interface Book {
  readonly entries: Array<{ readonly sale: string; readonly paid: number; readonly attempt: number }>
  /** At this many entries the pen breaks, once. */
  readonly breaksAt?: number
}

/** All bookkeepers are one group: each sale is for one of them. */
export const bookkeeper = (book: Book) => {
  let broken = false
  return actor(Books, (self) => {
    self.on(events(Stall).sold({ group: "books" }), ({ paid }, { messageId, attempt }) => {
      if (book.entries.length === book.breaksAt && !broken) {
        broken = true
        throw new Error("the pen broke")
      }
      book.entries.push({ sale: messageId, paid, attempt })
    })
    return {}
  })
}
