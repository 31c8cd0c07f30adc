// Everything that may happen to a clique at any moment, and how often it does.

import type { Session } from "./broker.ts"
import type { Member } from "./member.ts"
import type { World } from "./world.ts"

interface Happening {
  readonly weight: number
  readonly name: string
  readonly to: (world: World) => void
}

const happening = (weight: number, name: string, to: (world: World) => void): Happening => ({ weight, name, to })

const toMember = (weight: number, name: string, to: (member: Member, world: World) => void): Happening =>
  happening(weight, name, (world) => {
    const member = world.chance.pick(world.live)
    if (member) to(member, world)
  })

/** What a frozen process can not do. */
const byMember = (weight: number, name: string, to: (member: Member, world: World) => void): Happening =>
  toMember(weight, name, (member, world) => {
    if (!member.frozen) to(member, world)
  })

const toSession = (weight: number, name: string, to: (session: Session, world: World) => void): Happening =>
  happening(weight, name, (world) => {
    const session = world.chance.pick([...world.broker.sessions])
    if (session) to(session, world)
  })

const usual: ReadonlyArray<Happening> = [
  toSession(330, "the broker handles a frame", (session, world) => {
    const frame = world.broker.handle(session)
    world.note(() => `broker handles ${JSON.stringify(frame)} of ${session.owner}`)
    if (session.orphaned && session.sent.length === 0 && world.chance.is(0.5)) world.broker.end(session)
  }),
  byMember(300, "a member reads a report", (member) => member.read()),
  byMember(80, "a leader works", (member, world) => world.work(member)),
  byMember(60, "it is time to renew", (member) => member.feed({ type: "renew" })),
  byMember(20, "a renewal is late", (member) => member.feed({ type: "renewLate" })),
  byMember(15, "a member stops", (member) => member.feed({ type: "stop" })),
  happening(40, "a member has drained", (world) => {
    const member = world.chance.pick(world.live.filter(({ phase, frozen }) => phase === "draining" && !frozen))
    member?.feed({ type: "drained" })
  }),
  byMember(5, "a standby misses its leader for no reason", (member) => member.feed({ type: "quiet", now: member.now })),
  happening(30, "a member joins", (world) => {
    if (world.live.length < 4) world.join()
  }),
  toMember(30, "a member dies", (member) => member.die()),
  toSession(30, "the broker notices a dead connection", (session, world) => {
    if (session.orphaned) notice(session, world)
  }),
  toMember(20, "a member freezes or thaws", (member) => {
    member.frozen = !member.frozen
  }),
  toMember(20, "the heartbeats of a frozen member are missed", (member, world) => {
    if (member.frozen && member.session) world.broker.end(member.session)
  }),
  toMember(7, "a connection is cut", (member, world) => {
    if (member.session) world.broker.end(member.session)
  }),
  happening(3, "consumer timeout of 3.10 and 4.0", (world) => {
    const [holder] = world.broker.holders
    if (holder) world.broker.end(holder)
  }),
  happening(10, "consumer timeout of 4.3", (world) => void world.broker.expire()),
  happening(20, "the active consumer is demoted, and told nothing", (world) => void world.broker.demote()),
]

const beat = byMember(40, "a member hears a beat", (member, world) => {
  const leader = world.chance.pick(world.acting)
  if (leader) member.feed({ type: "seen", epoch: leader.state.context.epoch })
})

const losses: ReadonlyArray<Happening> = [
  happening(10, "the queue is purged", (world) => world.broker.purge()),
  happening(3, "the queue is deleted", (world) => {
    if (world.broker.exists) world.broker.delete()
  }),
]

/** What a dead process had sent is handled to its end, then its connection is gone. */
export const notice = (session: Session, world: World): void => {
  while (world.broker.sessions.has(session) && world.broker.handle(session));
  world.broker.end(session)
}

/** A few members join, then 200 to 600 things happen. */
export const happen = (world: World): void => {
  const { losses: destroy, beats } = world.scenario
  const all = [...usual, ...(beats ? [beat] : []), ...(destroy ? losses : [])]
  const total = all.reduce((sum, { weight }) => sum + weight, 0)
  for (let i = world.chance.below(3); i >= 0; i--) world.join()
  for (let i = 200 + world.chance.below(400); i > 0; i--) {
    world.now += world.chance.below(5)
    const { name, to } = draw(all, world.chance.below(total))
    world.count(name)
    world.note(() => name)
    to(world)
    if (world.acting.length > 1) world.count("two led in their own view")
  }
}

const draw = (all: ReadonlyArray<Happening>, point: number): Happening => {
  let left = point
  for (const one of all) {
    left -= one.weight
    if (left < 0) return one
  }
  throw new Error(`Nothing happens at ${point}.`)
}
