// What RabbitMQ was measured to do with the queue of a token: quorum, single active consumer, no delivery limit.
//
// B1. One consumer is active and gets everything; the others wait in the order in which they came.
// B2. What a session had unacked goes back to its old place in the queue and has come back once more, whatever the
//     reason; when a connection dies 4.3 counts that twice.
// B3. Taking a token back and choosing the next active consumer are one step.
// B4. The frames of a session are handled in order, and so are its reports read; both may be delayed for any time.
// B5. declare-ok counts ready tokens only, and one consumer if any is there.
//
// Left out: a cluster that is split for long, tokens that expire or are dead-lettered by a policy, publishes that fail
// in a queue that exists.

export interface Token {
  readonly id: string
  readonly place: number
  readonly base: number
  returns: number
}

/** What a client sends. `cancel` is here for the protocols that are known to be wrong. */
export type Frame =
  | { readonly do: "declare" | "consume" | "cancel" | "close" }
  | { readonly do: "publish"; readonly base: number }
  | { readonly do: "ack" | "nack"; readonly tag: number }

/** What a client is told. `grant` counts the deliveries of the queue: the order in which the broker granted. */
export type Report =
  | { readonly type: "opened"; readonly ready: number; readonly consumers: number }
  | (Pick<Token, "id" | "base" | "returns"> & { readonly type: "token"; readonly tag: number; readonly grant: number })
  | { readonly type: "lost" }

export class Session {
  readonly owner: string
  /** Sent and not yet handled. */
  readonly sent: Array<Frame> = [{ do: "declare" }, { do: "consume" }]
  /** Told and not yet read. */
  readonly told: Array<Report> = []
  readonly unacked = new Map<number, Token>()
  counts = { ready: 0, consumers: 0 }
  tags = 0
  /** Its process is dead: what it had sent may still be handled, then the broker notices. */
  orphaned = false

  constructor(owner: string) {
    this.owner = owner
  }
}

export interface Quirks {
  /** What the death of a connection adds to the returns of a token: 1, or 2 on 4.3. */
  readonly crashCounts: number
  /** How the queue is ordered after a return; brokers restore the old places. */
  readonly arrange: (tokens: Array<Token>) => Array<Token>
}

export class Broker {
  readonly sessions = new Set<Session>()
  /** The most sessions that ever had a token unacked at once. */
  mostHolders = 0
  mostTokens = 0
  readonly #quirks: Quirks
  #exists = false
  #ready: Array<Token> = []
  #consumers: Array<Session> = []
  #active: Session | undefined
  #places = 0
  #grants = 0

  constructor(quirks: Quirks) {
    this.#quirks = quirks
  }

  get active(): Session | undefined {
    return this.#active
  }

  get exists(): boolean {
    return this.#exists
  }

  get holders(): ReadonlyArray<Session> {
    return [...this.sessions].filter((session) => session.unacked.size > 0)
  }

  get tokens(): number {
    return this.holders.reduce((sum, session) => sum + session.unacked.size, this.#ready.length)
  }

  connect(owner: string): Session {
    const session = new Session(owner)
    this.sessions.add(session)
    return session
  }

  /** Handles the next frame of a session. */
  handle(session: Session): Frame | undefined {
    const frame = session.sent.shift()
    if (frame) this.#handle(session, frame)
    return frame
  }

  /** A connection or a channel ends: cut, silent for too long, killed, or closed at the consumer timeout of 3.10, 4.0. */
  end(session: Session): void {
    if (!this.sessions.delete(session)) return
    session.sent.length = 0
    this.#withdraw(session, this.#quirks.crashCounts)
    session.told.push({ type: "lost" })
  }

  /** The nodes lost each other for a moment: another consumer becomes active, and nobody is told. */
  demote(): Session | undefined {
    const demoted = this.#active
    if (!demoted) return undefined
    this.#consumers.push(...this.#consumers.splice(this.#consumers.indexOf(demoted), 1))
    this.#active = undefined
    this.#takeBack(demoted, 1)
    return demoted
  }

  /** The consumer timeout of 4.3: the consumer is cancelled and told so, its channel stays. */
  expire(): Session | undefined {
    const expired = this.#active
    if (!expired || expired.unacked.size === 0) return undefined
    this.#withdraw(expired, 1)
    expired.told.push({ type: "lost" })
    return expired
  }

  /** What is held survives a purge. */
  purge(): void {
    this.#ready = []
  }

  /** Everybody is told; the channels stay. */
  delete(): void {
    const consumers = this.#consumers
    this.#exists = false
    this.#ready = []
    this.#consumers = []
    this.#active = undefined
    for (const session of this.sessions) session.unacked.clear()
    for (const session of consumers) session.told.push({ type: "lost" })
  }

  #handle(session: Session, frame: Frame): void {
    switch (frame.do) {
      case "declare":
        this.#exists = true
        session.counts = { ready: this.#ready.length, consumers: Math.min(1, this.#consumers.length) }
        return
      case "consume":
        if (!this.#exists) return this.end(session)
        this.#consumers.push(session)
        session.told.push({ type: "opened", ...session.counts })
        return this.#deliver()
      case "publish":
        if (!this.#exists) return
        this.#places += 1
        this.#ready.push({ id: `t${this.#places}`, place: this.#places, base: frame.base, returns: 0 })
        return this.#deliver()
      case "ack":
        session.unacked.delete(frame.tag)
        return this.#deliver()
      case "nack": {
        const token = session.unacked.get(frame.tag)
        session.unacked.delete(frame.tag)
        if (token) this.#return([token], 1)
        return
      }
      case "cancel":
        this.#forgetConsumer(session)
        return this.#deliver()
      case "close":
        this.sessions.delete(session)
        return this.#withdraw(session, this.#quirks.crashCounts)
    }
  }

  #withdraw(session: Session, count: number): void {
    this.#forgetConsumer(session)
    this.#takeBack(session, count)
  }

  #forgetConsumer(session: Session): void {
    this.#consumers = this.#consumers.filter((consumer) => consumer !== session)
    if (this.#active === session) this.#active = undefined
  }

  #takeBack(session: Session, count: number): void {
    const tokens = [...session.unacked.values()]
    session.unacked.clear()
    this.#return(tokens, count)
  }

  #return(tokens: ReadonlyArray<Token>, count: number): void {
    for (const token of tokens) token.returns += count
    if (tokens.length > 0) this.#ready = this.#quirks.arrange([...tokens, ...this.#ready])
    this.#deliver()
  }

  #deliver(): void {
    this.#active ??= this.#consumers[0]
    while (this.#active && this.#active.unacked.size < 10 && this.#ready.length > 0) {
      const token = this.#ready.shift()!
      const { id, base, returns } = token
      this.#active.tags += 1
      this.#grants += 1
      this.#active.unacked.set(this.#active.tags, token)
      this.#active.told.push({ type: "token", tag: this.#active.tags, grant: this.#grants, id, base, returns })
    }
    this.mostHolders = Math.max(this.mostHolders, this.holders.length)
    this.mostTokens = Math.max(this.mostTokens, this.tokens)
  }
}
