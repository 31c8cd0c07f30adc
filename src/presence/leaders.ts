// What members want to know of each other: who leads an address, with which epoch, and when the last of an address is gone.
// It is information, never authority (promise 12): only the broker decides who leads.

import type { Node } from "../messaging/node.ts"
import { majorOf } from "../wire/beat.ts"
import { Alarm } from "./alarm.ts"
import type { Transition } from "./listed.ts"
import type { Lookout } from "./lookout.ts"

/** ms before somebody counts as gone who was not there from the beginning: a beat may be on its way. */
const grace = 100

export class Leaders {
  readonly #node: Node
  readonly #lookout: Lookout

  constructor(node: Node, lookout: Lookout) {
    this.#node = node
    this.#lookout = lookout
  }

  /** Calls whenever a beat shows a leader of the address, until the result is called. */
  onLeader(address: string, major: number, seen: (epoch: number, node: string) => void): () => void {
    return this.#lookout.hold({
      beat: ({ node, members }) => {
        for (const { role, epoch, address: whose, version } of members) {
          if (role === "leader" && whose === address && majorOf({ version }) === major) seen(epoch, node)
        }
      },
    })
  }

  /** Calls once when the last member of the address is gone, or soon when it turns out that there is none. */
  onGone(address: string, gone: () => void): () => void {
    let over = false
    const look = () => {
      if (over || !this.#lookout.settled) return
      this.#lookout.refresh()
      if (this.#isThere(address)) return
      end()
      gone()
    }
    const soon = new Alarm(this.#node.clock, look)
    const left = ({ before, after }: Transition) => after === undefined && before?.address === address
    const release = this.#lookout.hold({
      transitions: (transitions) => {
        if (transitions.some(left)) look()
      },
      settled: (failure) => {
        if (failure === undefined) soon.set(grace)
      },
    })
    const end = () => {
      over = true
      soon.cancel()
      release()
    }
    soon.set(grace)
    return end
  }

  #isThere(address: string): boolean {
    for (const { beat, standing } of this.#lookout.view.nodes.values()) {
      if (standing !== "gone" && beat.members.some((member) => member.address === address)) return true
    }
    return false
  }
}
