// What a tell says of the reminder that it comes from: `[name, due, missed]`, and `true` behind it if it may be a repetition.

import type { Reminded } from "../protocol/handlers.ts"
import { isText, maxName } from "./field.ts"

export type RemindedValue = readonly [name: string, due: number, missed: number, repeated?: true]

export const remindedValue = ({ name, due, missed, repeated }: Reminded): RemindedValue =>
  repeated ? [name, due, missed, true] : [name, due, missed]

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Undefined for what cannot be read. */
export const readReminded = (json: unknown): Reminded | undefined => {
  if (!Array.isArray(json)) return undefined
  const [name, due, missed, repeated] = json as ReadonlyArray<unknown>
  return isText(name, maxName) && isCount(due) && isCount(missed)
    ? { name, due, missed, repeated: repeated === true }
    : undefined
}
