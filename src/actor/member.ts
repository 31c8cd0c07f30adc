// A member: one process's part in a clique. It outlives the cells that it starts one after the other.
//
// E1. The mailbox is joined before the first cell starts, and left after the last one has ended.
// E2. A crash ends the cell; the member, its mailbox and its mail stay (promise 6).
// E3. A stop takes no new mail and finishes what was begun, within the child's shutdown bound (promise 11).
// E4. Of a `single` clique only the leader has a cell that takes mail (rule.ts); the token goes last.

import { Effect } from "effect"
import { Leadership } from "../clique/leadership.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, addressOf, format, routingKey } from "../wire/address.ts"
import type { MemberReport } from "../wire/beat.ts"
import type { Children } from "./children.ts"
import { BadActor, mailboxOptions, problem } from "./declaration.ts"
import type { ActorDef } from "./definition.ts"
import { type Home, incarnate } from "./incarnation.ts"
import { Rule } from "./rule.ts"
import type { Surroundings } from "./surroundings.ts"

/** ms that a leader may take to hand over once its mail is finished. */
const handOverWithin = 5_000

/**
 * An actor as a child of a supervisor.
 *
 * @param parent the address of the actor that spawned it, if one did.
 */
export const member = <P extends AnyProtocol, R>(
  surroundings: Surroundings,
  def: ActorDef<P, R>,
  spec: ChildSpec,
  parent?: string,
): Child<R> => {
  const { node, presence, leaderships } = surroundings
  const address = addressOf(surroundings.domain, def.protocol, spec.id)
  let mailbox: Mailbox | undefined
  let leadership: Leadership | undefined
  let children: Children | undefined
  let incarnation = 0
  const adopt = (own: Children) => {
    children = own
  }

  const open = Effect.gen(function* () {
    const wrong = problem(def as ActorDef<AnyProtocol, unknown>, address)
    if (wrong !== undefined) return yield* new BadActor({ why: wrong })
    const joining = node.feeds.join(mailboxOptions(node.names, address, def.options)) // E1
    const box = yield* Effect.catchTag(joining, "QueueClash", ({ why }) => new BadActor({ why }))
    mailbox = box
    const home: Home<P, R> = {
      surroundings,
      def,
      address,
      mailbox: box,
      spec,
      yieldTo: (epoch) => leadership?.seen(epoch),
      member: (own: ActorDef<AnyProtocol, never>, policy: ChildSpec) =>
        member(surroundings, own, policy, format(address)),
    }
    const report = (): MemberReport => ({
      address: format(address),
      version: def.protocol.version,
      role: leadership === undefined ? "member" : leadership.leads ? "leader" : "standby",
      epoch: leadership?.epoch ?? 0,
      state: leadership?.phase ?? (box.isOpen ? "running" : incarnation <= 1 ? "starting" : "waiting"),
      restarts: Math.max(0, incarnation - 1),
      handling: box.handling,
      waiting: box.load.waiting,
      ...(parent === undefined ? {} : { parent }),
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => presence.add(report)),
      (remove) => Effect.sync(remove),
    )
    if (def.options.clique !== "single") {
      return Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
        const cell = yield* incarnate(home, { incarnation: ++incarnation }, adopt)
        yield* cell.open()
        yield* ready
        return yield* Effect.raceFirst(cell.crashed, box.refused)
      })
    }
    let heard = 0
    const rule = new Rule({
      mailbox: box,
      warm: def.options.warm === true,
      incarnate: (term) => incarnate(home, { incarnation: ++incarnation, term }, adopt),
      changed: () => presence.changed(),
      leaderHeard: () => heard,
    })
    const part = new Leadership(node, address, rule)
    const key = routingKey(address)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        leadership = part
        leaderships.set(key, part)
      }),
      () => {
        leaderships.delete(key)
        return Effect.asVoid(Effect.timeoutOption(part.leave, handOverWithin)) // E4
      },
    )
    const leaderSeen = (epoch: number) => {
      heard = node.now()
      part.seen(epoch)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => presence.onLeader(format(address), address.major, leaderSeen)),
      (release) => Effect.sync(release),
    )
    yield* node.connection.join(part)
    return rule.live(part)
  })
  return {
    spec,
    open,
    detail: () => describe(address, mailbox, leadership),
    children: () => children?.views() ?? [],
  }
}

const describe = (address: Address, mailbox: Mailbox | undefined, leadership: Leadership | undefined): string => {
  const load = mailbox?.load
  const phase = leadership === undefined ? "" : `, ${leadership.phase}`
  const epoch = leadership?.leads === true ? ` in epoch ${leadership.epoch}` : ""
  const busy =
    load === undefined || load.running + load.waiting === 0 ? "" : `, ${load.running} running, ${load.waiting} waiting`
  return `${format(address)}${phase}${epoch}${busy}`
}
