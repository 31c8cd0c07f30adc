// Events: whoever wants hears what others say, now, shared in a group, later from what was kept, or before all else.
//   npm run example:events -- [--broker embedded|rabbitmq|amqp://...]
//
// Exits with 0 when everything went as it says, with 1 when it did not.

import { randomBytes } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { ActorSystem, type BrokerChoice, child, supervisor } from "warren"
import { Embedded } from "warren/effect"
import { openBroker } from "./broker.ts"
import { type Book, board, bookkeeper, stall } from "./events/market.ts"
import { Prices, Stall } from "./events/protocol.ts"

const { values } = parseArgs({ options: { broker: { type: "string", default: "embedded" } } })

/** One broker for all systems: `"embedded"` by itself would be one for each. */
const shared = async (choice: string): Promise<BrokerChoice> =>
  choice === "embedded" ? (await Effect.runPromise(Embedded.make())).layer : choice

const take = async <A>(some: AsyncIterable<A>, count: number): Promise<ReadonlyArray<A>> => {
  const taken: Array<A> = []
  for await (const one of some) if (taken.push(one) === count) break
  return taken
}

const until = async (what: string, is: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 15_000
  while (!(await is())) {
    if (performance.now() > deadline) throw new Error(`${what}: not after 15 s`)
    await pause(5)
  }
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, n) => all + n, 0)

const main = async (): Promise<void> => {
  await using source = await openBroker(values.broker, console.log)
  const settings = {
    domain: `events-${randomBytes(4).toString("hex")}`,
    broker: await shared(source.choice),
    logLevel: "Error",
  } as const
  const stalls = ["north", "south"].map((id) => child(stall, { id }))
  await using market = await ActorSystem.start({ ...settings, tree: supervisor("main", {}, stalls) })
  await using office = await ActorSystem.start(settings)
  const [north, south] = [office.ref(Stall, "north"), office.ref(Stall, "south")]
  console.log(`A market on ${source.title}.\n`)

  console.log("1. A stall needs the prices, and takes no mail before it has them.")
  const early = north.sell({ goods: "fruit.apple", pieces: 2, by: "cash" })
  await until("the stall waits", () => market.printTree().includes("waits for"))
  console.log("   somebody wants to buy: the stall waits for the prices")
  await office.spawn(board, { id: "main" })
  const { set } = office.ref(Prices, "main")
  await set({ "fruit.apple": 2, "fruit.pear": 3, "flower.tulip": 1 })
  console.log(`   here they are: two apples for ${await early}`)
  await set({ "fruit.apple": 5, "fruit.pear": 3, "flower.tulip": 1 })
  for (const { price } of [north, south]) await until("a new price", async () => (await price("fruit.apple")) === 5)
  console.log("   new ones reach both stalls while they run: an apple is 5 now")

  console.log("2. Listeners choose by topic, by header, and by who says it. Each gets all of that.")
  const { sold } = office.events(Stall)
  const fruit = await sold({ topic: "fruit.*" }).open()
  const cash = await sold({ headers: { by: "cash" } }).open()
  const fromSouth = await south.sold().open()
  await north.sell({ goods: "fruit.apple", pieces: 1, by: "card" })
  await north.sell({ goods: "flower.tulip", pieces: 7, by: "cash" })
  await south.sell({ goods: "fruit.pear", pieces: 1, by: "cash" })
  const said = async (name: string, some: typeof fruit, count: number) =>
    console.log(`   ${name}: ${(await take(some, count)).map(({ body }) => body.goods).join(", ")}`)
  await said("fruit     ", fruit, 2)
  await said("cash      ", cash, 2)
  await said("from south", fromSouth, 1)

  console.log("3. Two bookkeepers are a group: each sale is for one of them, and comes again when she fails.")
  const ann: Book = { entries: [], breaksAt: 3 }
  const bob: Book = { entries: [] }
  await market.spawn(bookkeeper(ann), { id: "ann" })
  await office.spawn(bookkeeper(bob), { id: "bob" })
  const paid = await Promise.all(
    Array.from({ length: 40 }, (_, n) => (n % 2 ? north : south).sell({ goods: "fruit.pear", pieces: n, by: "card" })),
  )
  const entries = () => new Map([...ann.entries, ...bob.entries].map((entry) => [entry.sale, entry]))
  await until("all is written down", () => entries().size === paid.length)
  const written = sum([...entries().values()].map((entry) => entry.paid))
  if (written !== sum(paid)) throw new Error(`${written} is written down, ${sum(paid)} was paid`)
  const again = [...entries().values()].filter(({ attempt }) => attempt > 1).length
  console.log(
    `   ${ann.entries.length} by Ann, ${bob.entries.length} by Bob, ${again} of them at the second try: ${written}`,
  )

  console.log("4. Sales are kept: who comes late reads them from the first one on.")
  const all = await take(sold({ from: "first" }), 44)
  console.log(
    `   all ${all.length}, from ${all[0]!.body.goods} (${all[0]!.offset}) to ${all[43]!.body.goods} (${all[43]!.offset})`,
  )
  const audited = await take(sold({ resume: "audit" }), 10)
  console.log(`   an audit stops in the middle of the one with the number ${audited[9]!.offset}`)
  const rest = await take(sold({ resume: "audit" }), 35)
  console.log(`   and later continues with the number ${rest[0]!.offset}, up to ${rest[34]!.offset}`)
  if (rest[34]!.offset !== all[43]!.offset) throw new Error("the audit missed some")

  console.log("5. Ten listeners in one process are one delivery; one of them sleeps, and nobody waits for it.")
  const last = 20_000 - 1
  const awake = await Promise.all(
    Array.from({ length: 9 }, () => office.events(Stall).cried({ buffer: 20_000 }).open()),
  )
  const sleepy = await office.events(Stall).cried({ buffer: 100 }).open()
  const began = performance.now()
  const heard = Promise.all(awake.map((listener) => take(listener, last + 1)))
  await north.cry(last + 1)
  for (const cries of await heard)
    if (!cries.every(({ body, dropped }, n) => body === n && dropped === 0)) throw new Error("a listener missed some")
  const rate = (10 * (last + 1)) / (performance.now() - began)
  console.log(`   nine got all of 20,000, in order; ${Math.round(rate)} deliveries a millisecond`)
  let [got, dropped] = [0, 0]
  for await (const cry of sleepy) {
    got++
    dropped += cry.dropped
    if (cry.body === last) break
  }
  console.log(`   one got ${got}, and was told of the ${dropped} others`)
  if (got + dropped !== last + 1) throw new Error("somebody cannot count")
}

await main().catch((error: unknown) => {
  console.error(`events: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
