// What actors do, as far as it must be the same on every broker: registered once for each of them.

import { afterAll, afterEach, beforeAll, describe } from "vitest"
import { asks } from "./asks.ts"
import { Bench, type Venue } from "./bench.ts"
import { cancels } from "./cancels.ts"
import { childrenAndTimers } from "./children-and-timers.ts"
import { cliques } from "./cliques.ts"
import { codecs } from "./codecs.ts"
import { crashes } from "./crashes.ts"
import { definitions } from "./definitions.ts"
import { effects } from "./effects.ts"
import { machines } from "./machines.ts"
import { nestedAsks } from "./nested-asks.ts"
import { order } from "./order.ts"
import { plainClients } from "./plain-clients.ts"
import { presence } from "./presence.ts"
import { refusals } from "./refusals.ts"
import { returnedMail } from "./returned-mail.ts"
import { sharedQueue } from "./shared-queue.ts"
import { sharedQueueStops } from "./shared-queue-stops.ts"
import { shutdown } from "./shutdown.ts"
import { tells } from "./tells.ts"
import { watching } from "./watching.ts"

export const behaviours = (name: string, open: () => Promise<Venue>, more?: (bench: Bench) => void): void => {
  describe(`actors on ${name}`, () => {
    const bench = new Bench()
    beforeAll(async () => bench.open(await open()))
    afterEach(() => bench.clean())
    afterAll(() => bench.close())
    asks(bench)
    cancels(bench)
    nestedAsks(bench)
    tells(bench)
    order(bench)
    codecs(bench)
    crashes(bench)
    refusals(bench)
    childrenAndTimers(bench)
    definitions(bench)
    effects(bench)
    machines(bench)
    cliques(bench)
    plainClients(bench)
    presence(bench)
    returnedMail(bench)
    sharedQueue(bench)
    sharedQueueStops(bench)
    shutdown(bench)
    watching(bench)
    more?.(bench)
  })
}
