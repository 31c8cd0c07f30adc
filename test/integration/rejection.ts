// How a call failed: the error that its promise rejects with, and the reason in it.

import { AskError, type AskReason } from "../../src/index.ts"

/** What the promise rejects with; throws when it resolves. */
export const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`it succeeded with ${JSON.stringify(value)}`)
}

/** The reason of the `AskError` that the promise rejects with; throws when it ends in any other way. */
export const reasonOf = async (promise: Promise<unknown>): Promise<AskReason> => {
  const error = await rejection(promise)
  if (error instanceof AskError) return error.reason
  throw new Error("it failed with something else", { cause: error })
}
