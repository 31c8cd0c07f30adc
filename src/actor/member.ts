// A member: one process's part in a clique. It outlives the cells that it starts one after the other.
//
// E1. The mailbox is joined before the first cell starts, and left after the last one has ended.
// E2. A crash ends the cell; the member, its mailbox and its mail stay (promise 6).
// E3. A stop takes no new mail and finishes what was begun, within the child's shutdown bound (promise 11).
// E4. Of a `single` clique only the leader has a cell that takes mail (rule.ts); the token goes last.
// E5. Its part in keeping the reminders of its address begins before the first cell, and ends after the last one.

import { Effect } from "effect"
import { Leadership } from "../clique/leadership.ts"
import type { Mailbox } from "../messaging/mailbox.ts"
import { compiled } from "../protocol/codec.ts"
import type { Event } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import { keep } from "../reminders/keeper.ts"
import { Requests } from "../reminders/requests.ts"
import type { Child } from "../supervision/child.ts"
import type { ChildSpec } from "../supervision/spec.ts"
import { type Address, addressOf, format, routingKey } from "../wire/address.ts"
import type { MemberReport } from "../wire/beat.ts"
import type { Children } from "./children.ts"
import { actionsOf, BadActor, mailboxOptions, problem } from "./declaration.ts"
import type { ActorDef } from "./definition.ts"
import { Goals } from "./goals.ts"
import { type Home, incarnate } from "./incarnation.ts"
import { Needs } from "./needs.ts"
import { Reminding } from "./reminding.ts"
import { Rule } from "./rule.ts"
import type { Surroundings } from "./surroundings.ts"
import { Taps } from "./taps.ts"

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
  const { node, presence, actions, events, leaderships } = surroundings
  const address = addressOf(surroundings.domain, def.protocol, spec.id)
  let mailbox: Mailbox | undefined
  let leadership: Leadership | undefined
  let needed: Needs | undefined
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
    const keeper = def.options.reminders === true ? yield* keep(node, address) : undefined // E5
    const refused = keeper === undefined ? box.refused : Effect.raceFirst(box.refused, keeper.refused)
    const needs = new Needs(node, events)
    needed = needs
    for (const [name, message] of Object.entries(def.protocol.messages)) {
      if (message.kind !== "event") continue
      yield* events.retain({ ...address, event: name }, (message as Event<never>).options.retain)
    }
    yield* needs.open(def.options.needs ?? [])
    const taps = yield* Effect.acquireRelease(
      Effect.sync(() => new Taps(events)),
      ({ closeAll }) => closeAll,
    )
    const goals = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new Goals({
            node,
            actions,
            address: format(address),
            to: routingKey(address),
            single: box.options.single,
            options: actionsOf(def.options),
            stuckAfter: box.options.stuckAfter,
          }),
      ),
      (own) => Effect.sync(() => own.end(new Error(`${format(address)} has ended`))),
    )
    const home: Home<P, R> = {
      surroundings,
      def,
      address,
      mailbox: box,
      goals,
      needs,
      taps,
      reminding: new Reminding({
        address: format(address),
        messages: compiled(def.protocol),
        requests: keeper === undefined ? undefined : new Requests(node, address),
        now: node.now,
      }),
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
      handling: [...box.handling, ...goals.handling],
      waiting: box.load.waiting,
      ...(parent === undefined ? {} : { parent }),
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => presence.add(report)),
      (remove) => Effect.sync(remove),
    )
    if (def.options.clique !== "single") {
      return Effect.fnUntraced(function* (ready: Effect.Effect<void>) {
        // What it needs may come from somebody who is started after it.
        const waits = needs.missing.length > 0
        if (waits) yield* ready
        const cell = yield* incarnate(home, { incarnation: ++incarnation }, adopt)
        yield* cell.open()
        if (!waits) yield* ready
        return yield* Effect.raceFirst(cell.crashed, refused)
      })
    }
    let heard = 0
    const rule = new Rule({
      mailbox: box,
      refused,
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
    detail: () => describe(address, mailbox, leadership, needed),
    children: () => children?.views() ?? [],
  }
}

const describe = (
  address: Address,
  mailbox: Mailbox | undefined,
  leadership: Leadership | undefined,
  needed: Needs | undefined,
): string => {
  const load = mailbox?.load
  const phase = leadership === undefined ? "" : `, ${leadership.phase}`
  const epoch = leadership?.leads === true ? ` in epoch ${leadership.epoch}` : ""
  const busy =
    load === undefined || load.running + load.waiting === 0 ? "" : `, ${load.running} running, ${load.waiting} waiting`
  const missing = needed?.missing ?? []
  const waits = missing.length === 0 ? "" : `, waits for ${missing.join(", ")}`
  return `${format(address)}${phase}${epoch}${busy}${waits}`
}
