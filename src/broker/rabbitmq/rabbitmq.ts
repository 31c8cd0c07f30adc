// RabbitMQ 3.10 to 4.3 as the `Broker` of a system.

import { Effect, Layer } from "effect"
import { Broker } from "../broker.ts"
import { LinkLost } from "../errors.ts"
import { type OpenLink, openLink } from "./link.ts"
import { type RabbitMqOptions, resolve, type Settings, shuffled } from "./options.ts"
import { explain } from "./refusal.ts"

export type { RabbitMqOptions } from "./options.ts"

/**
 * A broker at one or more URLs. Throws a `TypeError` at once when the options cannot be meant; nothing is dialled before
 * the first `connect`, which tries the hosts once each, in shuffled order, and fails with
 *
 * - `Refused` (fatal) when a host refuses user, password, vhost or protocol;
 * - `LinkLost` (worth a retry) when none could be reached in time.
 */
const layer = (options: string | RabbitMqOptions): Layer.Layer<Broker> => {
  const settings = resolve(options)
  return Layer.succeed(Broker)({
    name: settings.hosts.map((host) => host.name).join(", "),
    connect: Effect.acquireRelease(
      Effect.tryPromise({
        try: (signal) => openAny(settings, signal),
        catch: (error) => explain("connect", error),
      }),
      ({ close }) => Effect.promise(close),
      { interruptible: true },
    ).pipe(Effect.map(({ link }) => link)),
  })
}

export const RabbitMq = { layer }

const openAny = async (settings: Settings, signal: AbortSignal): Promise<OpenLink> => {
  const reasons: Array<string> = []
  for (const host of shuffled(settings.hosts, settings.random)) {
    try {
      return await openLink(host, settings, signal)
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error
      reasons.push(error.why)
    }
  }
  throw new LinkLost({ why: reasons.join("; ") })
}
