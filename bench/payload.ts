// The two payloads of the suite: a small one of 32 bytes, and an order of 1,024 bytes, both counted as JSON.

import type { Payload } from "./contender.ts"

export type Size = 32 | 1024

const small = (id: number): Payload => ({ id, name: "" })

const order = (id: number): Payload => ({
  id,
  name: "Ingrid Solheim",
  email: "ingrid.solheim@example.org",
  express: true,
  currency: "NOK",
  total: 4387.5,
  rows: Array.from({ length: 5 }, (_, row) => ({
    sku: `WRN-${1000 + row}-B`,
    title: "Oak shelf, oiled, 80 by 28 cm",
    quantity: row + 1,
    price: 292.5,
    gift: row % 2 === 0,
  })),
  note: "",
})

/** A payload of exactly so many bytes; one text field is filled up. */
export const payloadOf = (size: Size, id: number): Payload => {
  const field = size === 32 ? "name" : "note"
  const bare = size === 32 ? small(id) : order(id)
  return { ...bare, [field]: "x".repeat(size - JSON.stringify(bare).length) }
}
