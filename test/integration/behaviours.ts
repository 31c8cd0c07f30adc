// What actors do, as far as it must be the same on every broker: registered once for each of them.

import { afterAll, afterEach, beforeAll, describe } from "vitest"
import { actions } from "./actions.ts"
import { asks } from "./asks.ts"
import { batches } from "./batches.ts"
import { Bench, type Venue } from "./bench.ts"
import { cancels } from "./cancels.ts"
import { childrenAndTimers } from "./children-and-timers.ts"
import { cliques } from "./cliques.ts"
import { codecs } from "./codecs.ts"
import { configuration } from "./configuration.ts"
import { crashes } from "./crashes.ts"
import { definitions } from "./definitions.ts"
import { effects } from "./effects.ts"
import { eventGroups } from "./event-groups.ts"
import { eventsForAll } from "./events.ts"
import { lostNodes } from "./lost-nodes.ts"
import { machines } from "./machines.ts"
import { nestedAsks } from "./nested-asks.ts"
import { order } from "./order.ts"
import { plainClients } from "./plain-clients.ts"
import { plainEvents } from "./plain-events.ts"
import { presence } from "./presence.ts"
import { refusals } from "./refusals.ts"
import { reminders } from "./reminders.ts"
import { replays } from "./replay.ts"
import { returnedMail } from "./returned-mail.ts"
import { sharedQueue } from "./shared-queue.ts"
import { sharedQueueStops } from "./shared-queue-stops.ts"
import { shutdown } from "./shutdown.ts"
import { streams } from "./streams.ts"
import { streamsEnds } from "./streams-ends.ts"
import { streamsForeign } from "./streams-foreign.ts"
import { tells } from "./tells.ts"
import { versions } from "./versions.ts"
import { watching } from "./watching.ts"

export const behaviours = (name: string, open: () => Promise<Venue>, more?: (bench: Bench) => void): void => {
  describe(`actors on ${name}`, () => {
    const bench = new Bench()
    beforeAll(async () => bench.open(await open()))
    afterEach(() => bench.clean())
    afterAll(() => bench.close())
    actions(bench)
    asks(bench)
    batches(bench)
    cancels(bench)
    nestedAsks(bench)
    tells(bench)
    order(bench)
    codecs(bench)
    crashes(bench)
    refusals(bench)
    childrenAndTimers(bench)
    definitions(bench)
    eventsForAll(bench)
    eventGroups(bench)
    effects(bench)
    lostNodes(bench)
    machines(bench)
    cliques(bench)
    plainClients(bench)
    plainEvents(bench)
    presence(bench)
    reminders(bench)
    replays(bench)
    configuration(bench)
    returnedMail(bench)
    sharedQueue(bench)
    sharedQueueStops(bench)
    shutdown(bench)
    streams(bench)
    streamsEnds(bench)
    streamsForeign(bench)
    versions(bench)
    watching(bench)
    more?.(bench)
  })
}
