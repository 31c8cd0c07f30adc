// What consumers are served from: a queue, or a stream.

import type { QueueSpec, QueueState, StreamStart } from "../broker.ts"
import type { Consumer, Handler } from "./consumer.ts"
import type { Stored } from "./message.ts"
import type { Entry } from "./queue.ts"

export interface Served {
  readonly spec: QueueSpec
  /** The next publish is to be refused. */
  readonly full: boolean
  readonly ready: number
  readonly unacked: number
  readonly subscriptions: number
  /** Messages can be taken by hand. */
  readonly fetchable: boolean
  readonly state: () => QueueState
  /** Somebody asked about it or declared it again. */
  readonly touch: () => void
  readonly enqueue: (message: Stored) => void
  readonly purge: () => void
  readonly subscribe: (prefetch: number, handler: Handler, from: StreamStart | undefined) => Consumer
  /** Ends a subscription; what it has in hand may still be settled. */
  readonly cancel: (consumer: Consumer) => void
  /** Takes one message by hand. */
  readonly fetch: (hand: Consumer) => Entry | undefined
  readonly ack: (consumer: Consumer, entry: Entry) => void
  readonly nack: (consumer: Consumer, entry: Entry, requeue: boolean) => void
  /** The link or channel of these consumers has gone. */
  readonly release: (consumers: ReadonlyArray<Consumer>) => void
  /** It was deleted. */
  readonly close: (why: string) => void
}
