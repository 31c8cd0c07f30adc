// A member: one process's part in a clique. It outlives the cells that it starts one after the other.
//
// E1. The mailbox is subscribed to before the first cell starts, and left after the last one has ended.
// E2. A crash ends the cell; the member, its mailbox and its mail stay (promise 6).
// E3. A stop takes no new mail and finishes what was begun, within the child's shutdown bound (promise 11).

import { Effect } from "effect"
import type { Mailbox } from "../messaging/mailbox.ts"
import { type AnyProtocol, majorVersion } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, format } from "../wire/address.ts"
import type { Children } from "./children.ts"
import { BadActor, mailboxOptions, problem } from "./declaration.ts"
import type { ActorDef } from "./definition.ts"
import { incarnate } from "./incarnation.ts"
import type { Surroundings } from "./surroundings.ts"

/** An actor as a child of a supervisor. */
export const member = <P extends AnyProtocol, R>(
  surroundings: Surroundings,
  def: ActorDef<P, R>,
  spec: ChildSpec,
): Child<R> => {
  const { node } = surroundings
  const address: Address = {
    domain: surroundings.domain,
    type: def.protocol.name,
    id: spec.id,
    major: majorVersion(def.protocol),
  }
  let mailbox: Mailbox | undefined
  let children: Children | undefined
  const open = Effect.gen(function* () {
    const wrong = problem(def as ActorDef<AnyProtocol, unknown>, address)
    if (wrong !== undefined) return yield* new BadActor({ why: wrong })
    const joining = node.feeds.join(mailboxOptions(node.names, address, def.options)) // E1
    const box = yield* Effect.catchTag(joining, "QueueClash", ({ why }) => new BadActor({ why }))
    mailbox = box
    const home = {
      surroundings,
      def,
      address,
      mailbox: box,
      spec,
      member: (own: ActorDef<AnyProtocol, never>, policy: ChildSpec) => member(surroundings, own, policy),
    }
    let incarnation = 0
    return Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
      const cell = yield* incarnate(home, ++incarnation, (own) => {
        children = own
      })
      yield* ready
      return yield* Effect.raceFirst(cell, box.refused)
    })
  })
  return {
    spec,
    open,
    detail: () => describe(address, mailbox),
    children: () => children?.views() ?? [],
  }
}

const describe = (address: Address, mailbox: Mailbox | undefined): string => {
  const load = mailbox?.load
  const busy =
    load === undefined || load.running + load.waiting === 0 ? "" : `, ${load.running} running, ${load.waiting} waiting`
  return `${format(address)}${busy}`
}
