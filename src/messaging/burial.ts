// How mail that cannot be handled is buried: a dead letter says why, and the batch is acked once the broker has it.

import type { DeadReason } from "../wire/dead-letter.ts"
import type { Hand } from "./hand.ts"
import type { Job } from "./job.ts"
import type { Unreadable } from "./opening.ts"
import type { Death, Post } from "./post.ts"
import type { Target } from "./supply.ts"

export class Burial {
  readonly #post: Post
  readonly #home: Target | undefined

  /** @param home where what is buried has to be published to be handled again, if it is no mail. */
  constructor(post: Post, home?: Target) {
    this.#post = post
    this.#home = home
  }

  /**
   * @param attempts how often its handling was begun, this time included.
   * @param epoch of the leader that gives it up.
   */
  ofJob(job: Job, reason: DeadReason, error: unknown, attempts: number, epoch?: number): void {
    const remains = { kind: "item" as const, item: job.item }
    this.#bury(job.hand, { to: job.to, reason, error, attempts, epoch, remains }, job.sending())
  }

  ofUnreadable(hand: Hand, { to = hand.to, remains }: Unreadable, error: unknown, done: () => void): void {
    this.#bury(hand, { to, reason: "undecodable", error, attempts: 0, remains }, done)
  }

  #bury(hand: Hand, death: Omit<Death, "replays" | "home">, done: () => void): void {
    this.#post.bury({ ...death, replays: hand.replays, home: this.#home }, (buried) => {
      if (!buried) hand.tooLargeToBury = true
      done()
    })
  }
}
