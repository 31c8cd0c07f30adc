// The behaviour of actors on the embedded broker, and what only a broker that fails to order can show.

import { Effect } from "effect"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { ackLast } from "./ack-last.ts"
import { behaviours } from "./behaviours.ts"
import { eventLosses } from "./event-losses.ts"
import { linkLosses } from "./link-losses.ts"
import { sharedQueueLosses } from "./shared-queue-losses.ts"
import { streamsLosses } from "./streams-losses.ts"

behaviours(
  "the embedded broker",
  async () => {
    const embedded = await Effect.runPromise(Embedded.make({ confirmTimeout: 200 }))
    const unreachable = await Effect.runPromise(Embedded.make())
    unreachable.faults.refuse()
    return {
      layer: embedded.layer,
      side: embedded.as("bench"),
      unreachable: unreachable.layer,
      embedded,
      close: async () => {},
    }
  },
  (bench) => {
    ackLast(bench)
    linkLosses(bench)
    eventLosses(bench)
    sharedQueueLosses(bench)
    streamsLosses(bench)
  },
)
