// What every system of a trial is started with.

import { Amqp } from "warren/effect"
import type { Place } from "../operations.ts"

export const domain = "chaos"

/** Everything `ActorSystem.start` wants but the tree. */
export const settings = ({ urls, prefix, interval }: Place) => ({
  domain,
  prefix,
  broker: Amqp.layer({ url: urls }),
  logLevel: "Error" as const,
  ...(interval !== undefined && { presence: { interval } }),
})
