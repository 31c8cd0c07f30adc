// A slot of a message: what describes one value. An Effect Schema, any Standard Schema (zod, valibot, ...), or `type<T>()`.

import type { Schema } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"

export type Slot = Schema.ConstraintCodec<unknown, unknown, never, never> | StandardSchemaV1<unknown, unknown>

/** What the side that produces the value has in hand. */
export type Sent<S> = S extends Schema.Constraint ? S["Type"] : S extends StandardSchemaV1<infer I, unknown> ? I : never

/** What the side that receives the value has in hand. */
export type Got<S> = S extends Schema.Constraint ? S["Type"] : S extends StandardSchemaV1<unknown, infer O> ? O : never

/** Many values of one slot, one after the other. */
export interface StreamOf<S extends Slot> {
  readonly kind: "stream"
  readonly item: S
}

export type MaybeStream = Slot | StreamOf<Slot>

/** Marks the `payload` or the `reply` of an ask as a stream of items. */
export const stream = <S extends Slot>(item: S): StreamOf<S> => ({ kind: "stream", item })

export const isStream = (slot: MaybeStream): slot is StreamOf<Slot> => "kind" in slot && slot.kind === "stream"

/** Types only, no check at run time: for sketches, and where the peer checks by itself. The value must survive JSON. */
export const type = <T>(): StandardSchemaV1<T, T> => ({
  "~standard": { version: 1, vendor: "warren", validate: (value) => ({ value: value as T }) },
})
