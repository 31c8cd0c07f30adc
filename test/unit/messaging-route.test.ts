// The way to an actor, over the queue that it shares with others (promise 5).

import { describe, expect, it } from "vitest"
import type { Link, Outgoing } from "../../src/broker/broker.ts"
import type { Node } from "../../src/messaging/node.ts"
import { Outbox } from "../../src/messaging/outbox.ts"
import { Post } from "../../src/messaging/post.ts"
import { Route } from "../../src/messaging/route.ts"
import { names } from "../../src/wire/names.ts"

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const open = () => {
  const outbox = new Outbox()
  const post = new Post(
    outbox,
    names(),
    { node: "n", replyTo: { name: "inbox" } },
    () => 0,
    () => {},
  )
  const published: Array<Outgoing> = []
  const confirms: Array<() => void> = []
  const link = {
    publish: (message: Outgoing, settled: (failure: undefined) => void) => {
      published.push(message)
      confirms.push(() => settled(undefined))
    },
  } as unknown as Link
  outbox.use(link)
  const route = (id: string) => new Route({ outbox, post } as Node, { domain: "d", type: "account", id, major: 1 })
  const send = (to: Route, text: string) =>
    outbox.push(to.lane(), { content: JSON.stringify(text), persistent: false, settled: () => {} })
  const confirm = () => {
    for (const settle of confirms.splice(0)) settle()
  }
  const keys = () => published.splice(0).map(({ routingKey }) => routingKey)
  return { route, send, confirm, keys }
}

describe("the way to an actor", () => {
  it("is its own key, until a reply has told of the queue that it shares; then all of them travel together", async () => {
    const { route, send, confirm, keys } = open()
    const [a, b] = [route("a"), route("b")]
    for (const to of [a, b]) send(to, "first")
    await turn()
    confirm()
    expect(keys()).toStrictEqual(["d.account.a.v1", "d.account.b.v1"])
    for (const to of [a, b]) to.learn("d.accounts")
    for (const to of [a, b, a]) send(to, "later")
    await turn()
    expect(keys()).toStrictEqual(["d.accounts"])
    expect(a.isShared(a.lane())).toBe(true)
  })

  it("is not changed while something is still on the old one, or order would be lost (5)", async () => {
    const { route, send, confirm, keys } = open()
    const a = route("a")
    send(a, "first")
    a.learn("d.accounts")
    send(a, "second")
    await turn()
    send(a, "third")
    await turn()
    expect(keys(), "the first ones are not confirmed").toStrictEqual(["d.account.a.v1", "d.account.a.v1"])
    confirm()
    send(a, "fourth")
    await turn()
    expect(keys()).toStrictEqual(["d.accounts"])
  })

  it("is known to every client of the actor on this node", async () => {
    const { route, keys, send } = open()
    route("a").learn("d.accounts")
    send(route("a"), "another client's")
    await turn()
    expect(keys()).toStrictEqual(["d.accounts"])
  })

  it("is its own key again when the shared one leads nowhere", async () => {
    const { route } = open()
    const a = route("a")
    a.learn("d.accounts")
    const shared = a.lane()
    expect(a.detour(shared)?.destination.routingKey).toBe("d.account.a.v1")
    expect(a.lane().destination.routingKey).toBe("d.account.a.v1")
    expect(a.detour(a.lane()), "there is no other").toBeUndefined()
  })
})
