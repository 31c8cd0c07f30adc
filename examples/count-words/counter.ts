// The actor that counts: no state, so that a restart loses nothing.

import { type ActorDef, actor, type Hooks, type MessageContext } from "warren"
import { Counter } from "./protocol.ts"
import { countWords, describePart, type Rule } from "./words.ts"

/** The header by which the reader has one counter crash, once, to show what happens then. */
export const stumble = "stumble"

const stumbleIfTold = ({ headers }: MessageContext): void => {
  if (headers[stumble] === true) throw new Error("stumbled over a line, as it was told to")
}

export const counter = (rule: Rule, hooks: Hooks): ActorDef<typeof Counter, never> =>
  actor(
    Counter,
    {
      line: (text, context) => {
        stumbleIfTold(context)
        return countWords(text, rule)
      },
      part: (text, context) => {
        stumbleIfTold(context)
        return describePart(text, rule)
      },
    },
    // A line that is lost with its mailbox is asked again, so the mailboxes may go when the program has gone.
    { mailbox: "transient", hooks },
  )
