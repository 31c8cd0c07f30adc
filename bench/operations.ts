// What a worker can do, and what goes over the channel between it and its parent. Types alone.

import type { AskLoad, Place } from "./contender.ts"
import type { LoopResult } from "./loops.ts"

export interface Introduction {
  readonly name: string
  readonly settings: string
}

/** What a process has used until now; two of them make a difference. */
export interface Usage {
  /** Its own clock, seconds. */
  readonly at: number
  readonly cpuSeconds: number
  /** Bytes. */
  readonly rss: number
  /** Seconds in which its event loop had something to do. */
  readonly busySeconds: number
  /** Asks, tells, items, or events by each of their subscribers. */
  readonly handled: number
}

/** A loop, and what its process used meanwhile. */
export interface Measured {
  readonly loop: LoopResult
  readonly before: Usage
  readonly after: Usage
}

/** What a parent may ask for. */
export interface Operations {
  readonly serveAsks: (input: { contender: string; load: AskLoad; place: Place }) => Promise<Introduction>
  readonly serveTells: (input: { contender: string; place: Place }) => Promise<Introduction>
  readonly connectForAsks: (input: { contender: string; load: AskLoad; place: Place }) => Promise<Introduction>
  readonly connectForTells: (input: { contender: string; place: Place }) => Promise<Introduction>
  readonly serveEvents: (input: { contender: string; place: Place; subscribers: number }) => Promise<Introduction>
  readonly connectForEvents: (input: { contender: string; place: Place }) => Promise<Introduction>
  readonly serveItems: (input: { contender: string; place: Place }) => Promise<Introduction>
  readonly connectForItems: (input: { contender: string; place: Place }) => Promise<Introduction>
  readonly closed: (input: { callers: number; ms: number }) => Promise<Measured>
  readonly open: (input: { rate: number; ms: number }) => Promise<Measured>
  readonly usage: (input: Record<string, never>) => Promise<Usage>
  readonly start: (input: {
    what: "transient" | "durable" | "children"
    actors: number
    place: Place
  }) => Promise<Started>
  readonly stop: (input: Record<string, never>) => Promise<void>
}

/** Starting many actors in one system; ms and bytes. */
export interface Started {
  readonly startedMs: number
  readonly servedMs: number
  readonly heapPerActor: number
  readonly rssPerActor: number
  readonly rss: number
}

export interface Request {
  readonly id: number
  readonly name: keyof Operations
  readonly input: unknown
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}
