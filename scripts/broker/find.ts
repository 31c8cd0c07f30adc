// Finds a way to a RabbitMQ broker on this machine, and says how to get one when there is none.

import { type Archive, findArchive } from "./apt.ts"
import { dockerAnswers } from "./compose-node.ts"
import { unpack, unpackedTrees } from "./debian.ts"
import { greet } from "./greeting.ts"
import { findInstalled } from "./installed.ts"
import { type Evidence, order, type Wish } from "./order.ts"
import type { Given, Source } from "./source.ts"

export interface FindOptions extends Wish {
  /** Is told, line by line, what takes time. */
  readonly progress?: (line: string) => void
}

/** No way to a broker on this machine; the message says what was tried and how to get one. */
export class NoBroker extends Error {
  override readonly name = "NoBroker"
}

const given = async (): Promise<Given | undefined> => {
  const url = process.env.AMQP_URL
  if (!url) return undefined
  const version = await greet(url).catch((cause: Error) => {
    throw new NoBroker(`AMQP_URL is set, but ${cause.message}. Start that broker, or unset AMQP_URL.`, { cause })
  })
  return { kind: "given", url, version }
}

const gather = async (archive: Archive | undefined, { version }: Wish): Promise<Evidence> => {
  const [url, installed, docker, unpacked] = await Promise.all([
    version === undefined ? given() : undefined,
    findInstalled(),
    dockerAnswers(),
    unpackedTrees(),
  ])
  return { given: url, installed, docker, unpacked, suites: archive?.suites ?? unpacked.map(({ suite }) => suite) }
}

/** The source to use. Downloads Debian's packages when that is the only way left; rejects with NoBroker. */
export const findBroker = async ({ progress = () => {}, ...wish }: FindOptions = {}): Promise<Source> => {
  const archive = await findArchive()
  const reasons: string[] = []
  for (const step of order(await gather(archive, wish), wish)) {
    if (step.use) return step.use
    try {
      const tree = await unpack(archive!, step.unpack, progress)
      if (
        order({ given: undefined, installed: [], docker: false, unpacked: [tree], suites: [tree.suite] }, wish)[0]?.use
      )
        return tree
      reasons.push(`Debian's ${tree.suite} has ${tree.version}`)
    } catch (error) {
      reasons.push(`Debian's ${step.unpack}: ${(error as Error).message}`)
    }
  }
  throw new NoBroker(advice(wish, reasons))
}

const advice = ({ version, from }: Wish, reasons: readonly string[]): string => {
  const which = version === undefined || version === "newest" ? "RabbitMQ" : `RabbitMQ ${version}`
  return [
    `No ${which} here${from ? ` from ${from}` : ""}. Any one of these helps:`,
    "  - AMQP_URL=amqp://user:password@host:5672 names a broker that runs already",
    "  - apt install rabbitmq-server, or brew install rabbitmq (it need not be started)",
    "  - a running Docker engine with the compose plugin",
    "  - on Debian: apt sources that can be reached; its packages are then unpacked without root",
    ...reasons.map((reason) => `Tried: ${reason}`),
  ].join("\n")
}
