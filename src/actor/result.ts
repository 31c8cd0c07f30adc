// What a handler gives back decides how it goes on: a value at once, a promise by `then`, an Effect on a fiber.

import { Effect } from "effect"

export type ResultSort = "effect" | "promise" | "value"

/** Throws what a Proxy throws that refuses to say. */
export const resultSort = (result: unknown): ResultSort =>
  Effect.isEffect(result) ? "effect" : isThenable(result) ? "promise" : "value"

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
