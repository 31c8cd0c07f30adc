// Nodes that keep the reminders of one address on an embedded broker, and the mailbox of that address, on a clock that only
// the test moves.

import { Clock, Context, Effect, Exit, Layer, References, Scope } from "effect"
import { Broker, type Link } from "../../src/broker/broker.ts"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { Node } from "../../src/messaging/node.ts"
import { defaultLimits } from "../../src/messaging/outbox.ts"
import { keep } from "../../src/reminders/keeper.ts"
import { Requests } from "../../src/reminders/requests.ts"
import { type Address, routingKey } from "../../src/wire/address.ts"
import { decodeBatch } from "../../src/wire/batch.ts"
import type { TellItem } from "../../src/wire/item.ts"
import { names } from "../../src/wire/names.ts"
import { connect, settle, until } from "./embedded-fixture.ts"
import { elapse, passing } from "./presence-world.ts"

export { elapse, passing }

export const address: Address = { domain: "shop", type: "till", id: "1", major: 1 }
export const queue = names().reminders(address)
const mailbox = names().mailbox(address)

/** @param clock for the nodes; default: the test's. */
export const makeWorld = Effect.fnUntraced(function* (given?: Clock.Clock) {
  const broker = yield* Embedded.make()
  const clock = given ?? (yield* Clock.clockWith(Effect.succeed))
  const context = Context.add(yield* Effect.context<never>(), References.MinimumLogLevel, "None")
  const side = yield* connect(broker, "side")
  yield* side.declareExchange({ name: names().mail, type: "direct" })
  yield* side.declareQueue({ name: mailbox, type: "quorum", deliveryLimit: 100 })
  yield* side.bind({ queue: mailbox, exchange: names().mail, routingKey: routingKey(address) })

  /** What the actor was told, in order, by name and how late and how much it missed. */
  const mails: Array<TellItem> = []
  yield* side.consume(
    mailbox,
    { prefetch: 1_000 },
    {
      delivery: ({ message, ack }) => {
        const batch = decodeBatch(message)
        if ("items" in batch) mails.push(...(batch.items as ReadonlyArray<TellItem>))
        ack()
      },
      cancelled: () => {},
    },
  )
  const told = () => mails.map(({ reminder }) => [reminder?.name, reminder?.due, reminder?.missed])

  /** @param dress what the links of the node are to be like. */
  const join = (name: string, dress: (link: Link) => Link = (link) => link) =>
    Effect.gen(function* () {
      const service = Context.get(yield* Layer.build(broker.as(name)), Broker)
      const node = new Node({
        broker: { ...service, connect: Effect.map(service.connect, dress) },
        names: names(),
        clock,
        outbox: defaultLimits,
        run: (effect) => void Effect.runForkWith(context)(effect),
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(node.connection.run), Effect.sleep(20))))
      const scope = Scope.makeUnsafe()
      const joined = yield* Effect.forkScoped(Effect.provideService(keep(node, address), Scope.Scope, scope))
      yield* until(`${name} is up`, () => joined.pollUnsafe() !== undefined)
      yield* settle
      const requests = new Requests(node, address)
      const remind = (name: string, due: number, every?: number) =>
        passing(requests.set({ name, due, message: "ring", payload: name, ...(every === undefined ? {} : { every }) }))
      const list = Effect.map(
        Effect.suspend(() => passing(requests.list())),
        (all) => all.map(({ name, due }) => [name, due]),
      )
      return {
        node,
        requests,
        remind,
        forget: (name: string) => passing(requests.forget(name)),
        list,
        leave: Effect.suspend(() => passing(Effect.runPromise(Scope.close(scope, Exit.void)))),
      }
    })

  return { broker, side, mails, told, join, view: () => broker.queue(queue) }
})
