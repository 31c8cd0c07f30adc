// The reminders of an actor as it sets them: checked, and encoded by the slots of its protocol.

import { Duration } from "effect"
import { asError } from "../messaging/thrown.ts"
import type { CompiledMessage } from "../protocol/codec.ts"
import type { Messages, Tell } from "../protocol/message.ts"
import type { Sent, Slot } from "../protocol/slot.ts"
import { ReminderRefused } from "../reminders/errors.ts"
import type { ListedReminder, Requests } from "../reminders/requests.ts"
import { isText, maxName } from "../wire/field.ts"
import { isMoment, isPeriod, maxPeriod, minPeriod } from "../wire/reminder.ts"
import { currentJob } from "./current.ts"

/** When it is due: once, or every so often from a time on, which is one period from now unless it is said. */
type When =
  | { readonly at: Date | number; readonly after?: never; readonly every?: Duration.Input }
  | { readonly after: Duration.Input; readonly at?: never; readonly every?: Duration.Input }
  | { readonly every: Duration.Input; readonly at?: never; readonly after?: never }

/** The tells of a protocol. */
export type Told<M extends Messages> = { [K in keyof M]: M[K] extends Tell<infer _> ? K : never }[keyof M]
type Payload<P extends Slot> =
  undefined extends Sent<P> ? { readonly payload?: Sent<P> } : { readonly payload: Sent<P> }

/** When it is due, and which of the actor's own tells it sends. */
export type Reminder<M extends Messages, K extends Told<M> = Told<M>> = When & {
  readonly message: K
} & (M[K] extends Tell<infer P> ? Payload<P> : never)

/** The same without its types: by now the compiler has done its part. */
interface Given {
  readonly at?: Date | number
  readonly after?: Duration.Input
  readonly every?: Duration.Input
  readonly message: string
  readonly payload?: unknown
}

export interface RemindingOptions {
  readonly address: string
  readonly messages: ReadonlyMap<string, CompiledMessage>
  /** Undefined when the actor is not declared with reminders. */
  readonly requests: Requests | undefined
  /** ms since the epoch. */
  readonly now: () => number
}

export class Reminding {
  readonly #options: RemindingOptions

  constructor(options: RemindingOptions) {
    this.#options = options
  }

  readonly remind = async (name: string, given: Given): Promise<void> => {
    const refuse = (why: string) => this.#refusal(`remind ${JSON.stringify(name)}`, why)
    const requests = this.#requests(`remind ${JSON.stringify(name)}`)
    const wrong = wrongName(name)
    if (wrong !== undefined) throw refuse(wrong)
    const codec = this.#options.messages.get(given.message)
    if (codec?.kind !== "tell") throw refuse(`${JSON.stringify(given.message)} is no tell of its protocol`)
    const checked = <A>(check: () => A): A => {
      try {
        return check()
      } catch (error) {
        throw refuse(asError(error).message)
      }
    }
    const time = checked(() => timeOf(given, this.#options.now()))
    const payload = checked(() => codec.payload.encode(given.payload))
    await requests.set({ name, message: given.message, payload, ...time }, currentJob())
  }

  readonly forget = async (name: string): Promise<boolean> => {
    const wrong = wrongName(name)
    if (wrong !== undefined) throw this.#refusal(`forget ${JSON.stringify(name)}`, wrong)
    return this.#requests("forget").forget(name, currentJob())
  }

  readonly reminders = async (): Promise<ReadonlyArray<ListedReminder>> => this.#requests("reminders").list()

  #requests(call: string): Requests {
    const { requests } = this.#options
    if (requests === undefined) throw this.#refusal(call, "the actor is not declared with { reminders: true }")
    return requests
  }

  #refusal(call: string, why: string): ReminderRefused {
    return new ReminderRefused({ address: this.#options.address, call, why })
  }
}

const wrongName = (name: unknown): string | undefined =>
  isText(name, maxName) ? undefined : `the name must be a text of 1 to ${maxName} characters`

/** When it is due first, and how often then, in ms. @throws when that is no time. */
const timeOf = ({ at, after, every }: Given, now: number): { readonly due: number; readonly every?: number } => {
  const period = every === undefined ? undefined : Math.round(Duration.toMillis(every))
  if (period !== undefined && !isPeriod(period)) {
    throw new RangeError(`every must be ${minPeriod} to ${maxPeriod} ms, not ${period}; more often: self.timers`)
  }
  const wait = after === undefined ? period : Math.ceil(Duration.toMillis(after))
  const due = at !== undefined ? Math.round(Number(at)) : now + (wait ?? Number.NaN)
  if (!isMoment(due)) throw new RangeError("it must be due at a time, after a duration, or every so often")
  return period === undefined ? { due } : { due, every: period }
}
