// The command line of the example. Pure.

import { parseArgs } from "node:util"

export const usage = `Counts the words of files with a supervised pool of actors, one ask for each line.

  npm start -- [--broker embedded|rabbitmq|amqp://...] [--workers N] [--json] [FILE...]

  --broker    embedded: in this process (default). rabbitmq: find or fetch a RabbitMQ, start it, stop it afterwards.
              amqp://user:password@host/vhost, amqps://...: one that runs already.
  --workers   counters in the pool, 1 to 64. Default 4.
  --json      print one JSON document and nothing else.
  FILE        default: README.md of this repository.`

export interface Arguments {
  readonly help: boolean
  readonly broker: string
  readonly workers: number
  readonly json: boolean
  readonly files: ReadonlyArray<string>
}

/** The command line makes no sense; the message says where. */
export class BadArguments extends Error {
  override readonly name = "BadArguments"
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        broker: { type: "string", default: "embedded" },
        workers: { type: "string", default: "4" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    })
  } catch (error) {
    throw new BadArguments(error instanceof Error ? error.message : String(error))
  }
}

/** @throws BadArguments */
export const readArguments = (args: ReadonlyArray<string>): Arguments => {
  const { values, positionals } = parse(args)
  if (!/^(embedded|rabbitmq|amqps?:\/\/.+)$/.test(values.broker)) {
    throw new BadArguments(`--broker ${values.broker}: want embedded, rabbitmq, amqp://... or amqps://...`)
  }
  const workers = Number(values.workers)
  if (!Number.isInteger(workers) || workers < 1 || workers > 64) {
    throw new BadArguments(`--workers ${values.workers}: want a whole number from 1 to 64`)
  }
  return { help: values.help, broker: values.broker, workers, json: values.json, files: positionals }
}
