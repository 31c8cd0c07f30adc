// What a worker can do, and what goes over the channel between it and its parent. Types alone.

/** Where a worker's systems run. */
export interface Place {
  /** Brokers; several are one cluster. */
  readonly urls: readonly string[]
  readonly prefix: string
  /** ms between two presence beats. */
  readonly interval?: number
}

export interface MemberInput {
  readonly place: Place
  /** Unique among all processes of a trial, those that are dead included. */
  readonly member: string
  /** Id of the clique's actor. */
  readonly id: string
  /** Port of the fenced store. */
  readonly store: number
  /** ms that a handler takes before it writes. */
  readonly work: number
  /** Id of an actor with a transient mailbox that runs beside it. */
  readonly beside?: string
}

export interface Asked {
  /** ms of the common clock when the answer was there. */
  readonly at: number
  readonly member: string
  readonly epoch: number
}

export interface Load {
  readonly id: string
  /** A second. */
  readonly tells: number
  readonly asks: number
  /** ms until the deadline of an ask. */
  readonly deadline: number
  /** ms by which it may end later, for the timers of a busy machine. */
  readonly tolerance: number
}

export interface LoadReport {
  /** Entries 0 up to `told` - 1 were told. */
  readonly told: number
  /** The entries whose tell was not confirmed. */
  readonly refused: readonly number[]
  readonly asked: number
  readonly answered: number
  /** How many asks ended with which reason. */
  readonly reasons: Readonly<Record<string, number>>
  /** Asks that ended later than deadline and tolerance allow, or had not ended 10 s after that. */
  readonly late: number
  /** ms by which the end of an ask was later than its deadline, of the worst; 0 when none was. */
  readonly overrun: number
}

export interface CrowdInput {
  readonly place: Place
  readonly systems: number
  /** In each system, with ids of its own. */
  readonly actors: number
  readonly mailbox: "durable" | "transient"
  /** The beginning of every id. */
  readonly ids: string
  /** A `single` clique that every system is a member of, too. */
  readonly clique?: string
}

/** An actor as the registry should show it. */
export interface Sighting {
  readonly node: string
  readonly domain: string
  readonly type: string
  readonly id: string
  readonly version: string
  readonly role: "member" | "leader" | "standby"
}

/** What the registry is asked for; all that is given must fit. */
export type SightingFilter = Partial<Sighting>

export interface Roles {
  readonly leaders: number
  readonly standbys: number
  readonly nodes: number
}

/** What a parent may ask for. */
export interface Operations {
  /** Runs a member of a clique. Resolves once its system has started. */
  readonly join: (input: MemberInput) => Promise<void>
  /** From now on an ask is begun, told to the parent as `holding`, and never answered. */
  readonly hold: (input: Record<string, never>) => Promise<void>
  readonly stepDown: (input: { readonly id: string }) => Promise<boolean>

  /** Runs a system without actors, to call others from. */
  readonly connect: (input: { readonly place: Place }) => Promise<void>
  readonly ask: (input: { readonly id: string; readonly entry: number; readonly deadline: number }) => Promise<Asked>
  /** Tells `count` entries, one every so many ms, without waiting for confirms. Gives those that were not confirmed. */
  readonly tell: (input: {
    readonly id: string
    readonly first: number
    readonly count: number
    readonly every: number
  }) => Promise<readonly number[]>
  readonly load: (input: Load) => Promise<void>
  /** Ends the load, and resolves when everything that was sent has ended. */
  readonly unload: (input: Record<string, never>) => Promise<LoadReport>
  /** What the registry says about a clique. */
  readonly roles: (input: { readonly id: string }) => Promise<Roles>

  /** Runs many systems with many actors. Gives their nodes. */
  readonly crowd: (input: CrowdInput) => Promise<readonly string[]>
  /** The actors of this process, by what it knows without a registry. */
  readonly own: (input: Record<string, never>) => Promise<readonly Sighting[]>
  /**
   * Waits until the registry of every system here shows exactly this. Gives the moment, of the common clock, in which the
   * last one did, or how many do not when the time (ms) is over; and what was wrong last.
   */
  readonly agree: (input: {
    readonly truth: readonly Sighting[]
    readonly within: number
  }) => Promise<{ readonly at: number; readonly wrong: number; readonly last?: string }>
  /** How many answers of the registries here, to each of these filters, are not exactly what of the truth fits. */
  readonly misfits: (input: {
    readonly truth: readonly Sighting[]
    readonly filters: readonly SightingFilter[]
  }) => Promise<number>
  /** Runs a system without actors, to look whether those of a crowd answer. */
  readonly visit: (input: { readonly place: Place }) => Promise<void>
  /** Asks every actor until it answers. Gives the moment of the last answer, and who gave none within so many ms. */
  readonly askAll: (input: {
    readonly ids: readonly string[]
    readonly within: number
  }) => Promise<{ readonly at: number; readonly silent: readonly string[] }>
}

export interface Request {
  readonly id: number
  readonly name: keyof Operations
  readonly input: unknown
}

/** The answer to a request, or what a worker says unasked. */
export type Message =
  | { readonly id: number; readonly value?: unknown; readonly error?: string; readonly holding?: never }
  | { readonly holding: number; readonly id?: never }
