// The question who is there, and when its answers are all in.
//
// Q1. Every node answers with a beat, within a moment that it chooses at random (beacon.ts), the asking node too: its own
//     answer tells how long the way is. All are in when that is back and no other node has answered for `quiet`; in any
//     case `longest` after the question. A node that is slower is heard a little later, like one that has just come.

import type { Link } from "../broker/broker.ts"
import type { Node } from "../messaging/node.ts"
import { whoKey } from "../wire/beat.ts"
import { Alarm, elapsed } from "./alarm.ts"
import { answerWithin } from "./beacon.ts"

/** ms */
const quiet = 2 * answerWithin
const longest = 500

export class Inquiry {
  readonly #node: Node
  readonly #done: () => void
  readonly #alarm: Alarm
  /** Who has answered; undefined when nothing is asked. */
  #answers: Set<string> | undefined
  #askedAt = 0

  constructor(node: Node, done: () => void) {
    this.#node = node
    this.#done = done
    this.#alarm = new Alarm(node.clock, () => this.#end())
  }

  get isOpen(): boolean {
    return this.#answers !== undefined
  }

  ask(link: Link): void {
    this.#answers = new Set()
    this.#askedAt = elapsed(this.#node.clock)
    this.#alarm.set(longest)
    const message = { exchange: this.#node.names.presence, routingKey: whoKey, type: whoKey, body: Buffer.alloc(0) }
    link.publish(message, () => {}) // if it is lost, so are the answers, and `longest` ends it
  }

  /** There is a beat of this node. The result is how long the own answer took, ms, when it is that. */
  answered(node: string): number | undefined {
    const answers = this.#answers
    if (answers === undefined || answers.has(node)) return undefined
    answers.add(node)
    const since = elapsed(this.#node.clock) - this.#askedAt
    if (answers.has(this.#node.id)) this.#alarm.set(Math.max(0, Math.min(quiet, longest - since)))
    return node === this.#node.id ? since : undefined
  }

  forget(): void {
    this.#answers = undefined
    this.#alarm.cancel()
  }

  #end(): void {
    this.#answers = undefined
    this.#done()
  }
}
