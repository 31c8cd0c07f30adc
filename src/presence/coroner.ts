// Hears from the broker itself whose connections have ended, where it tells that, and looks who stays away.
//
// N1. It is a help, nothing to rely on: a broker that has no such events, or does not let this node hear them, costs one
//     line in the log and nothing else.
// N2. Whoever brought an event about, it makes nobody dead: that is for the broker to show, when it is asked `grace` later
//     who takes the mail of the node's inbox.

import { Effect } from "effect"
import type { Incoming, Link } from "../broker/broker.ts"
import type { BrokerError, NotFound, Refused } from "../broker/errors.ts"
import type { Node } from "../messaging/node.ts"
import { Alarm, elapsed } from "./alarm.ts"
import { conclude, cutOff, endedKey, endedLink, eventExchange, type Finding, grace, isCutOff } from "./obituary.ts"
import type { Step, View } from "./view.ts"

/** Questions to the broker at a time. */
const atOnce = 4

export class Coroner {
  readonly #node: Node
  readonly #view: () => View
  readonly #take: (step: Step) => void
  readonly #alarm: Alarm
  /** Since when each node is cut off that has not been looked for yet; oldest first. */
  readonly #cases = new Map<string, number>()
  readonly #told = new Set<"NotFound" | "Refused">()
  #link: Link | undefined

  /** @param take is given what it concludes for the view. */
  constructor(node: Node, view: () => View, take: (step: Step) => void) {
    this.#node = node
    this.#view = view
    this.#take = take
    this.#alarm = new Alarm(node.clock, () => this.#inquire())
  }

  /** Has the events put into a queue of one's own, if the broker has any. */
  listen(link: Link, queue: string): Effect.Effect<void, BrokerError> {
    this.#link = link
    return Effect.catchTag(
      link.bind({ queue, exchange: eventExchange, routingKey: endedKey }),
      ["NotFound", "Refused"],
      (error) => Effect.sync(() => this.#without(link, error)),
    )
  }

  forget(): void {
    this.#link = undefined
    this.#cases.clear()
    this.#alarm.cancel()
  }

  hear(event: Incoming): void {
    const link = endedLink(event)
    if (link === undefined) return
    const now = elapsed(this.#node.clock)
    const { node, ...step } = cutOff(this.#view(), link, now)
    if (node === undefined) return
    this.#cases.delete(node)
    this.#cases.set(node, now)
    this.#alarm.within(grace)
    this.#take(step)
  }

  #inquire(): void {
    const link = this.#link
    const now = elapsed(this.#node.clock)
    const due: Array<readonly [node: string, since: number]> = []
    for (const [node, since] of this.#cases) {
      if (since + grace > now) {
        this.#alarm.within(since + grace - now)
        break
      }
      this.#cases.delete(node)
      if (isCutOff(this.#view(), node, since)) due.push([node, since])
    }
    if (link === undefined || due.length === 0) return
    const looking = ([node, since]: (typeof due)[number]) => this.#examine(link, node, since)
    this.#node.run(Effect.forEach(due, looking, { concurrency: atOnce, discard: true }))
  }

  #examine(link: Link, node: string, since: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const inbox = this.#view().nodes.get(node)?.beat.inbox
      const finding = inbox === undefined ? "unknown" : yield* look(link, inbox)
      const view = this.#view()
      // Nothing is concluded from what was heard on a former link, nor when a beat has come meanwhile.
      if (this.#link !== link || !isCutOff(view, node, since)) return
      this.#take(conclude(view, node, elapsed(this.#node.clock), finding))
    })
  }

  /** N1 */
  #without(link: Link, error: NotFound | Refused): void {
    if (this.#told.has(error._tag)) return
    this.#told.add(error._tag)
    const so = "a node that dies without a goodbye is found out by its silence"
    if (error._tag === "Refused") return this.#node.log("Warn", `${error.message} Until then ${so}`)
    const instead = `${so}; with the broker's plugin rabbitmq_event_exchange that takes two seconds`
    // Of others than RabbitMQ nobody expects one.
    const level = link.capabilities.product === "RabbitMQ" ? "Info" : "Debug"
    this.#node.log(level, `there is no exchange ${eventExchange}: ${instead}`)
  }
}

/** Whether the inbox has a consumer: only its node consumes it. */
const look = (link: Link, inbox: string): Effect.Effect<Finding> =>
  Effect.match(link.inspectQueue(inbox), {
    onSuccess: ({ consumers }) => (consumers > 0 ? "has a link" : "has none"),
    onFailure: ({ _tag }) => (_tag === "NotFound" ? "has none" : "unknown"),
  })
