// Reads what RabbitMQ or the socket says when something fails, and decides whether a retry can help. Pure.
//
// R1. Whatever is not known to be permanent is `LinkLost`: a wrong retry costs a moment, a wrong `Refused` stops a tree.

import { type BrokerError, Inaccessible, LinkLost, NotFound, Oversized, Refused } from "../errors.ts"

/** Reads a failure of a request `what`, e.g. `declare queue q`. */
export const explain = (what: string, error: unknown): BrokerError => {
  if (error instanceof LinkLost || error instanceof NotFound || error instanceof Refused) return error
  if (error instanceof Inaccessible) return error
  const { code, text } = read(error)
  switch (code) {
    case "NOT_FOUND":
      // The queue exists, its node does not answer: that passes.
      if (/down or inaccessible|timeout/i.test(text)) return new Inaccessible({ what, why: text })
      return new NotFound({
        what: /\bno (queue|exchange|binding) '.*?'/.exec(text)?.[0].slice(3).replaceAll("'", "") ?? what,
      })
    case "PRECONDITION_FAILED":
      return clash(what, text) ?? refused(what, text, "Declare it as the broker has it, or delete it there first.")
    case "ACCESS_REFUSED":
      return refused(what, text, "Check user and password, and the configure, write and read permissions of the user.")
    case "NOT_ALLOWED":
      // A limit of connections is often just the old ones of this very process that linger.
      if (/limit|is down/i.test(text)) return new LinkLost({ why: `${what}: ${text}` })
      return refused(what, text, "Check that the vhost exists and that the user may use it.")
    case "RESOURCE_LOCKED":
      return refused(what, text, "Another connection owns it exclusively: choose another name or close that one.")
    case "NOT_IMPLEMENTED":
    case "VERSION_MISMATCH":
      return refused(what, text, "This broker cannot do it: Warren needs RabbitMQ 3.10 or newer.")
    default:
      return new LinkLost({ why: `${what}: ${text}` })
  }
}

/** Why a publishing channel was closed, and which messages in flight were meant by that. */
export interface Verdict {
  readonly meant: (message: { readonly exchange: string; readonly bytes: number }) => boolean
  readonly failure: "unroutable" | Refused | Oversized
}

/** Undefined when the broker blames no message: then nothing is known about those in flight. */
export const blame = (error: unknown): Verdict | undefined => {
  const { code, text } = read(error)
  const exchange = /exchange '(.*?)' in vhost/.exec(text)?.[1]
  if (code === "NOT_FOUND" && exchange !== undefined) {
    return { meant: (message) => message.exchange === exchange, failure: "unroutable" }
  }
  if (code === "ACCESS_REFUSED" && exchange !== undefined) {
    const name = exchange === "amq.default" ? "" : exchange
    const failure = refused(`publish to exchange ${exchange}`, text, "Give the user write permission for it.")
    return { meant: (message) => message.exchange === name || message.exchange === exchange, failure }
  }
  const size = /message size (\d+) /.exec(text)?.[1]
  if (code === "PRECONDITION_FAILED" && size !== undefined) {
    const failure = new Oversized({
      what: "body",
      why: `${text}; lower maxMessageSize to the broker's max_message_size`,
    })
    return { meant: (message) => message.bytes === Number(size), failure }
  }
  return undefined
}

/** The channel was closed under this request, on account of another one. */
export const isBystander = (error: unknown): boolean => read(error).code === "CH_CLOSE"

/** The broker has refused this one message. */
export const isNack = (error: unknown): boolean => read(error).code === "NACK"

/** What the broker said, in one line. */
export const said = (error: unknown): string => read(error).text

const refused = (what: string, text: string, next: string): Refused => new Refused({ what, why: text, next })

/** RabbitMQ names the first argument that differs: "inequivalent arg 'x-expires' for queue 'q' in vhost '/': …". */
const clash = (what: string, text: string): Refused | undefined => {
  const found =
    /inequivalent arg '(.*?)' for (queue|exchange) '(.*?)' in vhost '.*?': received (.*) but current is (.*)/s.exec(
      text,
    )
  if (found === null) return undefined
  const [, argument = "", kind = "", name = "", here = "", there = ""] = found
  return refused(
    what,
    `${kind} ${name} exists with another ${argument}: declared here is ${plain(here)}, the broker has ${plain(there)}`,
    `Declare it as the broker has it, or drain and delete the ${kind} there first`,
  )
}

/** `the value '5' of type 'long'` is 5, `none` stays. */
const plain = (value: string): string => /'(.*?)'/.exec(value)?.[1] ?? value.trim()

/**
 * Library errors carry AMQP's word for the reason in `code`, and "BasicPublish: NOT_FOUND - no exchange …" as text; where
 * no request was at fault (consumer timeout) that begins with "undefined: ".
 */
const read = (error: unknown): { readonly code: string; readonly text: string } => {
  if (!(error instanceof Error)) return { code: "", text: String(error) }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  const message = error.message.replace(/^([A-Z][A-Za-z]+|undefined): /, "").replace(`${code} - `, "")
  // node gives several addresses of one host as an AggregateError without a message
  return { code, text: message || code || error.name }
}
