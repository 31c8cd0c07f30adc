// The runtime's own tree: guardian -> connection, inbox, presence, goals, streams, events, the user's tree, the spawned actors, drain.
//
// Y1. The children start in this order and stop in reverse: first drain (no new mail, what was begun is finished), then
//     the user's actors, then the inbox (everything sent is settled), and the connection last (promise 11).
// Y2. The connection reconnects by itself and stays this guardian's running child meanwhile: a lost link restarts nobody
//     (promise 9). What it cannot mend is fatal and ends the tree.
// Y3. The guardian itself restarts nothing: what comes up to it has been given up below.

import { Effect } from "effect"
import type { Actions } from "../actions/actions.ts"
import type { Surroundings } from "../actor/surroundings.ts"
import type { Events } from "../events/events.ts"
import type { Node } from "../messaging/node.ts"
import type { Presence } from "../presence/presence.ts"
import type { Sessions } from "../streams/sessions.ts"
import type { Child } from "../supervision/child.ts"
import { asChild } from "../supervision/nested.ts"
import { type Supervisor, supervise } from "../supervision/supervisor.ts"
import type { Tree } from "./tree.ts"

/** ms for each: to finish what was begun, and to have everything that was sent confirmed. */
const drainWithin = 5_000
const flushWithin = 3_000

/** Keeps a link alive, for ever, unless the broker refuses for a reason that stays. */
const connection = (node: Node): Child => {
  const link: Child = {
    spec: { id: "link" },
    open: Effect.succeed((ready) => Effect.andThen(ready, node.connection.run)),
    detail: () => node.connection.life.phase,
  }
  const nested = asChild(
    "connection",
    {
      backoff: { initial: 100, max: 1_000, resetAfter: "5 seconds" },
      // A broker may be away for any time: no number of attempts is too many.
      intensity: { maxRestarts: 30, within: "1 minute" },
      whenExhausted: { retryAfter: "1 second" },
    },
    [link],
  )
  return { ...nested, detail: () => node.connection.name }
}

const forever = <E = never>(onStop: Effect.Effect<void>): Child["open"] =>
  Effect.succeed((ready) =>
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => onStop)
      yield* ready
      return yield* Effect.never as Effect.Effect<never, E>
    }),
  )

/** On stop: everything that was sent is settled, nobody waits any more, and the queue goes. */
const inbox = (node: Node): Child => ({
  spec: { id: "inbox", shutdown: flushWithin + 2_000 },
  detail: () => node.inbox,
  open: forever(
    Effect.gen(function* () {
      yield* Effect.timeoutOption(node.flush, flushWithin)
      yield* node.endAsks
      yield* node.leaveInbox
    }),
  ),
})

/** On stop: goodbye, as soon as the actors are gone. */
const heard = (presence: Presence): Child => ({
  spec: { id: "presence" },
  open: Effect.succeed((ready) =>
    Effect.gen(function* () {
      yield* presence.run
      yield* ready
      return yield* Effect.never
    }),
  ),
})

/** On stop: nobody follows a goal any more, when the actors are gone. */
const followed = (node: Node, actions: Actions): Child => ({
  spec: { id: "goals" },
  open: Effect.succeed((ready) =>
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => actions.shut)
      yield* node.connection.join(actions)
      yield* ready
      return yield* Effect.never
    }),
  ),
})

/** On stop: the streams that are still open end, and their far ends are told. */
const talks = (sessions: Sessions): Child => ({
  spec: { id: "streams" },
  open: Effect.succeed((ready) =>
    Effect.gen(function* () {
      yield* sessions.run
      yield* ready
      return yield* Effect.never
    }),
  ),
})

/** On stop: nobody listens any more, and the queue goes. */
const listened = (events: Events): Child => ({
  spec: { id: "events" },
  open: forever(events.leave),
})

/** The last child, so the first to stop: from then on no mail is taken, and what was begun is finished. */
const drain = (node: Node, events: Events): Child => ({
  spec: { id: "drain", shutdown: drainWithin + 1_000 },
  open: forever(
    Effect.suspend(() => {
      node.stopping = true
      const finish = Effect.all([node.feeds.finish, events.finish], { concurrency: 2, discard: true })
      return Effect.asVoid(Effect.timeoutOption(finish, drainWithin))
    }),
  ),
})

export interface Guardian {
  readonly supervisor: Supervisor
  /** Where spawned actors and added trees live. */
  readonly spawned: () => Supervisor | undefined
}

/** Starts the tree in the current Scope. */
export const guard = (surroundings: Surroundings, tree: Tree<unknown> | undefined) =>
  Effect.gen(function* () {
    const { node, presence, actions, sessions, events } = surroundings
    const spawned = asChild<never>("spawned", {}, [])
    // What the tree's actors need is in the context that this runs in: `run` has its type.
    const children: ReadonlyArray<Child> = [
      connection(node),
      inbox(node),
      heard(presence),
      followed(node, actions),
      talks(sessions),
      listened(events),
      ...(tree === undefined ? [] : [tree.toChild(surroundings) as Child]),
      spawned,
      drain(node, events),
    ]
    const spec = { strategy: "rest-for-one", intensity: { maxRestarts: 0, within: "1 minute" } } as const
    const supervisor = yield* supervise<never>("guardian", spec, children)
    return { supervisor, spawned: spawned.current } satisfies Guardian
  })
