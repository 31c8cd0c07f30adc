// The sessions of this node, by their number, and what happens to all of them at once.
//
// N1. A frame for a session that is not there, or not from its far end, is answered with the news that it is gone; unless it
//     is that news itself. So half a stream does not live on. Of one that has ended well it is known for a while how much
//     was sent: its far end may not have got all of that yet, and must not take it for lost.
// N2. After each reconnect, and when this node has got another inbox, both ends compare what was sent with what has come: what
//     was in the inbox may be lost.
// N3. Sessions outlive their link for as long as the inbox does.

import { Effect, type Scope } from "effect"
import type { BrokerError } from "../broker/errors.ts"
import { ask, type Call, type Ongoing } from "../messaging/calls.ts"
import type { LinkUser } from "../messaging/connection.ts"
import type { Entry } from "../messaging/deadlines.ts"
import type { Node } from "../messaging/node.ts"
import { Numbered } from "../messaging/numbered.ts"
import { type AskReason, Cancelled } from "../protocol/errors.ts"
import { type Credit, encodeFrame, type Frame, frameHead, type Said } from "../wire/frame.ts"
import type { AskItem } from "../wire/item.ts"
import type { Part } from "./conversation.ts"
import { window } from "./credit.ts"
import { disconnected, type Registrar, type Remains, Session, type User } from "./session.ts"

/** ms for which it is known of a session that it has ended well, and of how many. */
const memory = 60_000
const mostPast = 4096
/** ms without a link. The inbox is deleted soon after that. */
const longestAbsence = 60_000

/** Which way items go. */
export interface Shape {
  /** The payload is many. */
  readonly up: boolean
  /** The reply is many. */
  readonly down: boolean
}

export class Sessions implements LinkUser {
  readonly #node: Node
  readonly #window: Credit
  readonly #sessions = new Numbered<Session>()
  /** Those that have ended well, oldest first. */
  readonly #past = new Map<number, Remains & { readonly until: number }>()
  #absence: Entry | undefined

  constructor(node: Node, size: Credit = window) {
    this.#node = node
    this.#window = size
    node.onFrame = (frame) => this.#receive(frame)
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Runs in the current Scope; when that closes, what is still open ends as `Cancelled`, at the far end too. */
  readonly run: Effect.Effect<void, BrokerError, Scope.Scope> = Effect.suspend(() =>
    Effect.andThen(
      Effect.addFinalizer(() => Effect.sync(() => this.#endAll(new Cancelled({})))),
      this.#node.connection.join(this),
    ),
  )

  /** Asks for a stream. It is over if nobody has taken it on at the deadline of the ask. */
  open(call: Omit<Call, "id" | "opening">, { up, down }: Shape, user: (session: Session) => User): Session {
    const id = this.#node.nextId()
    const part: Part = { is: "caller", window: down ? this.#window : undefined, sends: up }
    let ongoing: Ongoing | undefined
    const session = this.#add(id, part, user, {
      // From now on nobody waits for a reply.
      opened: () => void this.#node.pending.end(id, { tag: "value", value: undefined }),
      closed: () => ongoing?.giveUp(),
    })
    ongoing = ask(this.#node, { ...call, id, opening: { up, credit: part.window } }, (outcome) => {
      if (session.isOpening) session.refuse(outcome)
    })
    return session
  }

  /**
   * Takes on a stream that an ask opens.
   *
   * @param epoch in which the callee leads a `single` clique.
   * @param confirmed called when the broker has that, or never will.
   */
  accept(
    { node, replyTo, id, opening }: AskItem,
    { up, down }: Shape,
    user: (session: Session) => User,
    epoch: number | undefined,
    confirmed: () => void,
  ): Session {
    const part: Part = { is: "callee", window: up ? this.#window : undefined, sends: down, credit: opening?.credit }
    const session = this.#add(this.#node.nextId(), part, user, { opened: () => {}, closed: () => {} })
    session.meet({ node, id, inbox: replyTo })
    session.open(epoch, confirmed)
    return session
  }

  #add(id: number, part: Part, user: (session: Session) => User, { opened, closed }: Registrar): Session {
    const session = new Session(this.#node, id, part, user, {
      opened,
      closed: () => {
        this.#sessions.delete(id)
        this.#remember(id, session.remains)
        closed()
      },
    })
    this.#sessions.add(id, session)
    return session
  }

  #receive(frame: Frame): void {
    const session = this.#sessions.get(frame.to)
    if (session?.isFrom(frame) === true) session.receive(frame)
    else if (frame.said.says !== "abort") this.#answer(frame)
  }

  /** N1 */
  #answer(frame: Frame): void {
    const { to, from, node, said } = frame
    const past = this.#past.get(to)
    if (past === undefined || past.peer.node !== node || past.peer.id !== from) {
      return this.#say(frame, { says: "abort", reason: disconnected("the far end of the stream is gone") })
    }
    if (said.says === "sent" && said.answer) this.#say(frame, { says: "sent", number: past.sent, answer: false })
  }

  #say({ to, from, inbox }: Frame, said: Said<never>): void {
    const content = encodeFrame(frameHead(from, to, this.#node.inbox), said)
    this.#node.post.mail(this.#node.post.inbox(inbox), { content, persistent: false, settled: () => {} })
  }

  /** N1 */
  #remember(id: number, remains: Remains | undefined): void {
    if (remains === undefined) return
    const now = this.#node.now()
    this.#past.set(id, { ...remains, until: now + memory })
    for (const [oldest, { until }] of this.#past) {
      if (until > now && this.#past.size <= mostPast) break
      this.#past.delete(oldest)
    }
  }

  // The link

  /** N2 */
  up(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#absence?.cancel()
      this.#absence = undefined
      this.#compareAll()
    })
  }

  /** N2 */
  moved(): Effect.Effect<void> {
    return Effect.sync(() => this.#compareAll())
  }

  #compareAll(): void {
    for (const session of this.#sessions.values()) session.compare()
  }

  /** N3 */
  down(): void {
    this.#absence ??= this.#node.deadlines.add(this.#node.now() + longestAbsence, () => {
      this.#absence = undefined
      this.#endAll(disconnected(`there was no link to the broker for ${longestAbsence / 1_000} s`))
    })
  }

  #endAll(reason: AskReason): void {
    for (const session of this.#sessions.values()) session.abort(reason)
  }
}
