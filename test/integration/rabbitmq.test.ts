// The behaviour of actors on a real RabbitMQ. Without one these tests fail: they are not skipped.

import { Connection } from "rabbitmq-client"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import { behaviours } from "./behaviours.ts"

behaviours("RabbitMQ", async () => {
  const url = process.env.WARREN_TEST_AMQP_URL
  if (!url) throw new Error("WARREN_TEST_AMQP_URL is not set: give the URL of a RabbitMQ for tests")
  const layer = RabbitMq.layer(url)
  return {
    layer,
    side: layer,
    unreachable: RabbitMq.layer("amqp://guest:guest@127.0.0.1:1"),
    embedded: undefined,
    close: async ({ mail, control, presence, events, dead }) => {
      const connection = new Connection(url)
      for (const exchange of [mail, control, presence, events, dead]) await connection.exchangeDelete({ exchange })
      await connection.close()
    },
  }
})
