// The command line of `warren`: which command, and what it is told. Pure.
//
// A1. A broker's URL may hold a password: no message repeats it, nor an argument that stands where a URL might have.

import { parseArgs } from "node:util"
import { resolve } from "../broker/rabbitmq/options.ts"
import type { Filter } from "../presence/listed.ts"
import { isToken } from "../wire/address.ts"

export const usage = `Shows what runs on a broker: the nodes of Warren, and the actors in them.

  warren ps   [options]   a table of all members: what they are, what they do, where they run
  warren tree [options]   the nodes, and in each its members, under those that spawned them

  --broker URL      amqp://user:password@host:port/vhost, or amqps://...
                    Default: the AMQP_URL of the environment, else amqp://guest:guest@127.0.0.1:5672
  --prefix NAME     the prefix of the systems. Default: warren
  --domain, --type, --id, --version, --role
                    only members of which this is so, exactly; a role is member, leader or standby
  --wait SECONDS    listen for so long, up to 600: a node that is held up answers late.
                    Default: until the answers are in
  --json            print one JSON document, with nothing left out
  -h, --help        print this

Colours are used on a terminal, unless NO_COLOR is set. The exit code is 0, also when nobody is there; 1 when the broker
cannot be reached or refuses; 2 when the command line makes no sense.`

/** What a command that looks at a broker is told. */
export interface Look {
  readonly command: "ps" | "tree"
  /** A URL, which may hold a password. */
  readonly broker: string
  readonly prefix: string
  readonly filter: Filter
  /** ms */
  readonly wait: number
  readonly json: boolean
}

export type CommandLine = { readonly command: "help" } | Look

/** The command line makes no sense; the message says where. */
export class BadArguments extends Error {
  override readonly name = "BadArguments"
}

const defaultBroker = "amqp://guest:guest@127.0.0.1:5672"
/** Seconds. */
const longestWait = 600

interface Rule {
  readonly fits: (text: string) => boolean
  readonly want: string
}
const token: Rule = { fits: isToken, want: '1 to 63 letters, digits, "_" or "-"' }
const rules = {
  prefix: { fits: (text) => isToken(text) && text.length <= 32, want: '1 to 32 letters, digits, "_" or "-"' },
  domain: token,
  type: token,
  id: token,
  version: { fits: (text) => /^\d+\.\d+\.\d+$/.test(text), want: "a whole version such as 1.2.0" },
  role: { fits: (text) => /^(member|leader|standby)$/.test(text), want: "member, leader or standby" },
  wait: { fits: (text) => /^\d+(\.\d+)?$/.test(text) && Number(text) <= longestWait, want: "0 to 600 seconds" },
} satisfies Record<string, Rule>

const filters = ["domain", "type", "id", "version", "role"] as const

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        broker: { type: "string" },
        prefix: { type: "string", default: "warren" },
        domain: { type: "string" },
        type: { type: "string" },
        id: { type: "string" },
        version: { type: "string" },
        role: { type: "string" },
        wait: { type: "string", default: "0" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    })
  } catch (error) {
    throw new BadArguments(error instanceof Error ? error.message : String(error))
  }
}

/**
 * @param env of it `AMQP_URL` is read.
 * @throws BadArguments
 */
export const readArguments = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>,
): CommandLine => {
  const { values, positionals } = parse(args)
  if (values.help) return { command: "help" }
  const [command, ...more] = positionals
  if (command !== "ps" && command !== "tree") throw new BadArguments(`want a command, ps or tree${instead(command)}`)
  if (more.length > 0) throw new BadArguments(`${command} takes options only${instead(more[0])}`)
  for (const [name, { fits, want }] of Object.entries(rules)) {
    const text = values[name as keyof typeof rules]
    if (text !== undefined && !fits(text)) throw new BadArguments(`--${name} ${text}: want ${want}`)
  }
  const said = filters.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]]))
  return {
    command,
    broker: brokerOf(values.broker, env.AMQP_URL),
    prefix: values.prefix,
    filter: Object.fromEntries(said) as Filter,
    wait: Number(values.wait) * 1_000,
    json: values.json,
  }
}

/** A1. */
const instead = (text: string | undefined): string =>
  text !== undefined && /^[\w-]+$/.test(text) ? `, not ${text}` : ""

const brokerOf = (flag: string | undefined, variable: string | undefined): string => {
  const [from, url] =
    flag !== undefined ? ["--broker", flag] : variable ? ["AMQP_URL", variable] : ["the default", defaultBroker]
  try {
    resolve(url) // it dials nothing, and its messages show no password
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^RabbitMq: /, "") : String(error)
    throw new BadArguments(`${from}: ${why}`)
  }
  return url
}
