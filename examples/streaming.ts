// Streams in all their shapes: left early, failing in the middle, held back by a slow reader, and at full speed.
//   npm run example:streaming -- [--broker embedded|rabbitmq|amqp://...]
//
// By default the broker is inside this process. `rabbitmq` finds or fetches one, starts it, and stops it afterwards.

import { randomBytes } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import { parseArgs } from "node:util"
import { ActorSystem, child, supervisor } from "warren"
import { openBroker } from "./broker.ts"
import { BrokenSensor, Station, seen, station } from "./streaming/station.ts"

const { values } = parseArgs({ options: { broker: { type: "string", default: "embedded" } } })

const main = async (): Promise<void> => {
  await using broker = await openBroker(values.broker, console.log)
  await using system = await ActorSystem.start({
    domain: `streaming-${randomBytes(4).toString("hex")}`,
    broker: broker.choice,
    logLevel: "Warn",
    tree: supervisor("main", {}, [child(station, { id: "north" })]),
  })
  const north = system.ref(Station, "north")
  console.log(`A station on ${broker.title}.`)

  const first: Array<number> = []
  for await (const reading of north.readings({})) {
    first.push(reading)
    if (first.length === 3) break // ends it at the far end, too
  }
  while (seen.sensorsOff === 0) await pause(1)
  console.log(`three readings: ${first.join(", ")}; then its sensor was switched off`)

  let count = 0
  try {
    for await (const _ of north.readings({ breaksAfter: 5 })) count++
  } catch (error) {
    if (!(error instanceof BrokenSensor)) throw error
    console.log(`${count} readings, and then the error that its protocol declares: ${error._tag}`)
  }

  const measured = async function* () {
    for (let n = 1; n <= 100; n++) yield n
  }
  console.log(`the average of 1 to 100: ${await north.average(measured())}`)

  const converted: Array<number> = []
  for await (const fahrenheit of north.convert([0, 25, 100])) converted.push(fahrenheit)
  console.log(`0, 25 and 100 °C are ${converted.join(", ")} °F`)

  let [taken, ahead] = [0, 0]
  seen.made = 0
  for await (const _ of north.readings({})) {
    taken++
    ahead = Math.max(ahead, seen.made - taken)
    if (taken % 100 === 0) await pause(1) // far slower than they could be made
    if (taken === 20_000) break
  }
  console.log(`20,000 readings, slowly: the station was never more than ${ahead} ahead`)

  taken = 0
  const began = performance.now()
  for await (const _ of north.readings({})) if (++taken === 500_000) break
  const rate = taken / (performance.now() - began)
  console.log(`500,000 readings at full speed: ${Math.round(rate)} a millisecond`)
}

await main().catch((error: unknown) => {
  console.error(`streaming: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
