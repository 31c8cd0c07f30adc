// Nodes that this one works with over time, such as the far ends of its streams: it wants to know when one is gone.
//
// E1. Each is told once, and never after it has let go.
// E2. Who was heard since somebody began to watch is gone when it says goodbye or falls silent (view.ts). Who was never
//     heard since then gets as long as a silent one, from when it could have been heard.
// E3. Nobody is judged while this node could not hear (lookout.ts, W3).

import type { Node } from "../messaging/node.ts"
import { Alarm, elapsed } from "./alarm.ts"
import type { Lookout } from "./lookout.ts"
import { deadAfter } from "./view.ts"

type Gone = (why: string) => void

interface Peer {
  readonly watchers: Set<Gone>
  /** Heard since the first of them came. */
  heard: boolean
  /** From when on it could have been heard, elapsed ms. */
  since: number
}

export class Peers {
  readonly #node: Node
  readonly #lookout: Lookout
  readonly #patience: number
  readonly #peers = new Map<string, Peer>()
  readonly #alarm: Alarm
  #release: (() => void) | undefined

  /** @param interval ms between two beats of this node; others are taken to beat as often until they say so. */
  constructor(node: Node, lookout: Lookout, interval: number) {
    this.#node = node
    this.#lookout = lookout
    this.#patience = interval * deadAfter
    this.#alarm = new Alarm(node.clock, () => this.#judge())
  }

  /**
   * Calls once, with the reason, when the node is gone: it said goodbye, or was silent for two of its intervals. Watches
   * the other nodes until the result is called.
   */
  readonly watch = (id: string, gone: Gone): (() => void) => {
    if (id === this.#node.id || this.#lookout.stopped) return () => {}
    const peer = this.#peers.get(id) ?? this.#add(id)
    const watcher: Gone = (why) => gone(why) // the same function may be given twice
    peer.watchers.add(watcher)
    return () => {
      if (peer.watchers.delete(watcher) && peer.watchers.size === 0) this.#remove(id, peer)
    }
  }

  #add(id: string): Peer {
    const now = elapsed(this.#node.clock)
    const peer: Peer = { watchers: new Set(), heard: this.#isThere(id), since: now }
    this.#peers.set(id, peer)
    this.#hold()
    if (!peer.heard) this.#alarm.within(this.#patience)
    return peer
  }

  #hold(): void {
    this.#release ??= this.#lookout.hold({
      learned: () => this.#look(),
      settled: (failure) => {
        if (failure === undefined) return this.#begin()
        this.#letGo() // the broker would not have it: it is tried again
        this.#alarm.within(this.#patience)
      },
    })
  }

  #letGo(): void {
    this.#release?.()
    this.#release = undefined
  }

  #remove(id: string, peer: Peer): void {
    if (this.#peers.get(id) === peer) this.#peers.delete(id)
    if (this.#peers.size > 0) return
    this.#alarm.cancel()
    this.#letGo()
  }

  #isThere(id: string): boolean {
    const sighting = this.#lookout.view.nodes.get(id)
    return sighting !== undefined && sighting.standing !== "gone"
  }

  /** From now on everybody can be heard. */
  #begin(): void {
    const now = elapsed(this.#node.clock)
    for (const [id, peer] of this.#peers) if (!this.#isThere(id)) peer.since = Math.max(peer.since, now)
    this.#alarm.within(this.#patience)
  }

  #look(): void {
    for (const [id, peer] of this.#peers) {
      if (this.#isThere(id)) peer.heard = true
      else if (peer.heard) this.#tell(id, peer)
    }
  }

  /** E2, E3 */
  #judge(): void {
    this.#hold()
    if (!this.#lookout.settled || this.#lookout.full) return // it begins anew; or there may be no room for who is there
    const now = elapsed(this.#node.clock)
    let next = Number.POSITIVE_INFINITY
    for (const [id, peer] of this.#peers) {
      if (peer.heard) continue
      const due = peer.since + this.#patience
      if (due > now) next = Math.min(next, due - now)
      else this.#tell(id, peer)
    }
    this.#alarm.within(next)
  }

  #tell(id: string, peer: Peer): void {
    const said = this.#lookout.view.nodes.get(id)?.beat.bye === true
    const why = said ? "it has stopped" : "it is not heard of any more"
    const watchers = [...peer.watchers]
    peer.watchers.clear()
    this.#remove(id, peer)
    for (const gone of watchers) {
      try {
        gone(why)
      } catch (error) {
        this.#node.log("Error", `somebody who watches node ${id} failed: ${String(error)}`)
      }
    }
  }
}
