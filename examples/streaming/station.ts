// A weather station: readings without end, an average of what one sends it, and a conversion of each item as it comes.

import { Schema, Stream } from "effect"
import { actor, ask, protocol, stream } from "warren"

export class BrokenSensor extends Schema.TaggedError<BrokenSensor>()("BrokenSensor", { after: Schema.Number }) {}

export const Station = protocol("station", "1.0.0", {
  /** Many replies to one payload: one reading after the other, as fast as they are taken. */
  readings: ask({
    payload: Schema.Struct({ breaksAfter: Schema.optional(Schema.Number) }),
    reply: stream(Schema.Number),
    error: BrokenSensor,
  }),
  /** One reply to many payloads. */
  average: ask({ payload: stream(Schema.Number), reply: Schema.Number }),
  /** Many to many: Celsius to Fahrenheit. */
  convert: ask({ payload: stream(Schema.Number), reply: stream(Schema.Number) }),
})

/** What the station has made, and whether it has cleaned up. It runs in this process, so we can look. */
export const seen = { made: 0, sensorsOff: 0 }

export const station = actor(
  Station,
  {
    async *readings({ breaksAfter }) {
      try {
        for (let n = 0; n !== breaksAfter; n++) {
          seen.made++
          yield Math.round(150 + 100 * Math.sin(n / 10)) / 10
        }
        throw new BrokenSensor({ after: breaksAfter })
      } finally {
        seen.sensorsOff++ // runs whenever the stream ends, however it does
      }
    },
    average: async (items) => {
      let [sum, count] = [0, 0]
      for await (const item of items) {
        sum += item
        count++
      }
      return sum / count
    },
    // The same with an Effect Stream.
    convert: (items) =>
      items.stream.pipe(
        Stream.map((celsius) => celsius * 1.8 + 32),
        Stream.orDie,
      ),
  },
  { mailbox: "transient" },
)
