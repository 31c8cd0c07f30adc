// One process of a trial: does what its parent tells it over the channel, until it is stopped, killed or left alone.

import type { Message, Operations, Request } from "../operations.ts"
import { type Crowd, gather, type Visitor, visit } from "./crowd.ts"
import { join, type Member } from "./member.ts"
import { connect, type Sender } from "./sender.ts"

let member: Member | undefined
let sender: Sender | undefined
let crowd: Crowd | undefined
let visitor: Visitor | undefined

const tell = (message: Message): void => void process.send?.(message)

const the = <A>(what: string, part: A | undefined): A => {
  if (part === undefined) throw new Error(`this worker has no ${what}`)
  return part
}

const operations: Operations = {
  join: async (input) => {
    member = await join(input, (holding) => tell({ holding }))
  },
  hold: async () => the("member", member).hold(),
  stepDown: async ({ id }) => the("member", member).stepDown(id),
  connect: async ({ place }) => {
    sender = await connect(place)
  },
  ask: async (input) => the("sender", sender).ask(input),
  tell: async (input) => the("sender", sender).tell(input),
  load: async (input) => the("sender", sender).load(input),
  unload: async () => the("sender", sender).unload(),
  roles: async ({ id }) => the("sender", sender).roles(id),
  crowd: async (input) => {
    crowd = await gather(input)
    return crowd.nodes
  },
  own: async () => the("crowd", crowd).own(),
  agree: async (input) => the("crowd", crowd).agree(input),
  misfits: async (input) => the("crowd", crowd).misfits(input),
  visit: async ({ place }) => {
    visitor = await visit(place)
  },
  askAll: async (input) => the("visitor", visitor).askAll(input),
}

process.on("message", ({ id, name, input }: Request) => {
  const operation = operations[name] as (input: unknown) => Promise<unknown>
  operation(input).then(
    (value) => tell({ id, value }),
    (error: unknown) => tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on("disconnect", () => process.exit())
