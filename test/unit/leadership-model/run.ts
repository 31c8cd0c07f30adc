// One run: a random schedule, then peace, in which the clique must find one leader again; and what was violated.

import { type Protocol, right } from "./protocol.ts"
import { happen, notice } from "./schedule.ts"
import { type Scenario, type Violation, World } from "./world.ts"

/** Rounds of the watchdog within which a clique must be well again. */
export const patience = 4

export interface Outcome {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly tally: ReadonlyMap<string, number>
  /** Rounds of the watchdog until there was one leader with one token. */
  readonly rounds: number
}

export const run = (
  seed: number,
  scenario: Scenario,
  protocol: Protocol = right,
  log?: (line: string) => void,
): Outcome => {
  const world = new World(seed, scenario, protocol, log)
  happen(world)
  world.note(() => "peace")
  calm(world)
  let rounds = 1
  while (!watch(world) && rounds < patience) rounds += 1
  if (!well(world)) world.violated("no single leader with a single token", `after ${rounds} rounds: ${views(world)}`)
  if (world.broker.mostHolders > 1) world.violated("two holders", `${world.broker.mostHolders} at once`)
  checkOrder(world)
  return { seed, violations: world.violations, tally: world.tally, rounds }
}

/** The dead are noticed, the frozen thaw, those who were asked to stop are gone, and there are two members at least. */
const calm = (world: World): void => {
  for (const member of world.live) {
    member.frozen = false
    if (member.state.context.stopping) member.die()
  }
  for (const session of world.broker.sessions) if (session.orphaned) notice(session, world)
  while (world.live.length < 2) world.join()
}

/** One round of the watchdog, 10 s of the real world. Tells whether the clique is well. */
const watch = (world: World): boolean => {
  settle(world, 60)
  for (const member of world.live) world.work(member)
  settle(world, 30)
  for (const leader of world.acting) leader.feed({ type: "renew" })
  settle(world, 60)
  for (const member of world.live) member.feed({ type: "renewLate" })
  settle(world, 60)
  if (world.acting.length === 0) for (const member of world.live) member.feed({ type: "quiet", now: member.now })
  return well(world)
}

/** Frames are handled and reports are read, in any interleaving. */
const settle = (world: World, ticks: number): void => {
  for (let tick = 0; tick < ticks; tick++) {
    world.now += 1
    for (const session of [...world.broker.sessions]) if (world.chance.is(0.7)) world.broker.handle(session)
    for (const member of world.live) if (world.chance.is(0.7)) member.read()
  }
}

const well = ({ acting: [leader, ...others], broker }: World): boolean =>
  leader !== undefined && others.length === 0 && broker.tokens === 1 && broker.holders[0] === leader.session

const views = (world: World): string => {
  const members = world.live.map((member) => `${member.name} ${member.phase}`).join(", ")
  return `${members}; ${world.broker.tokens} tokens, ${world.broker.holders.length} holders`
}

/** I4: in the order in which the broker delivered, each epoch is above the one before. */
const checkOrder = (world: World): void => {
  const grants = world.grants.sort((a, b) => a.grant - b.grant)
  for (const [i, { epoch, member }] of grants.entries()) {
    const before = grants[i - 1]
    if (!before || before.epoch < epoch) continue
    return world.violated("epochs not strict", `${before.member} ${before.epoch}, then ${member} ${epoch}`)
  }
}
