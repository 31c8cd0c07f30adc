// The commands of `warren` that look at a running system, each as a process of its own, on a real RabbitMQ.

import { spawn } from "node:child_process"
import { hostname } from "node:os"
import { fileURLToPath } from "node:url"
import { Connection } from "rabbitmq-client"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { NotFound } from "../../src/broker/errors.ts"
import { RabbitMq } from "../../src/broker/rabbitmq/rabbitmq.ts"
import { type ActorSystem, actor, ask, child, protocol, supervisor } from "../../src/index.ts"
import { names } from "../../src/wire/names.ts"
import { Bench } from "./bench.ts"
import { eventually } from "./eventually.ts"
import { latch } from "./latch.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const url = process.env.WARREN_TEST_AMQP_URL ?? "amqp://WARREN_TEST_AMQP_URL-is-not-set"

interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const start = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    env: { ...process.env, AMQP_URL: url, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const ended = new Promise<Ran>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
  )
  return { child, ended }
}
const warren = (args: ReadonlyArray<string>, env?: Record<string, string>): Promise<Ran> => start(args, env).ended

const Till = protocol("till", "1.2.0", { count: ask({}) })
const Shop = protocol("shop", "1.0.0", { open: ask({}) })
const Ledger = protocol("ledger", "2.0.1", { put: ask({}) })

describe("the command line", () => {
  const bench = new Bench()
  const open = latch()
  const systems: Array<ActorSystem> = []
  const prefix = ["--prefix", bench.prefix]

  beforeAll(async () => {
    const layer = RabbitMq.layer(url)
    const close = async ({ mail, control, presence, dead }: typeof bench.names) => {
      const connection = new Connection(url)
      for (const exchange of [mail, control, presence, dead]) await connection.exchangeDelete({ exchange })
      await connection.close()
    }
    await bench.open({ layer, side: layer, unreachable: layer, embedded: undefined, close })
    for (const id of ["1", "2"]) bench.claim(Till, id)
    bench.claim(Shop, "north")
    bench.claimClique(Ledger, "main")
    const till = actor(Till, () => ({ count: () => open.opened }))
    const shop = actor(Shop, async (self) => {
      await self.spawn(till, { id: "1" })
      await self.spawn(till, { id: "2" })
      return { open: () => {} }
    })
    const ledger = actor(Ledger, () => ({ put: () => {} }), { clique: "single" })
    const first = await bench.start({
      askTimeout: "10 minutes",
      tree: supervisor("app", {}, [child(ledger, { id: "main" }), child(shop, { id: "north" })]),
    })
    await eventually("the first leads", async () => (await first.registry.list({ role: "leader" })).length === 1)
    systems.push(first, await bench.start({ tree: child(ledger, { id: "main" }) }))
    for (let n = 0; n < 2; n++) void first.ref(Till, "1").count.outcome()
    await eventually("one till is busy", async () => {
      const [busy] = await first.registry.list({ type: "till", id: "1" })
      return busy?.handling.length === 1 && busy.waiting === 1
    })
  })
  afterAll(async () => {
    open.open()
    await bench.clean()
    await bench.close()
  })

  it("prints a table of all members, without colours into a pipe, and lists itself nowhere", async () => {
    const { code, stdout, stderr } = await warren(["ps", ...prefix])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const [one, two] = systems.map(({ node }) => node.slice(-8))
    const place = `${hostname()}  ${process.pid}  alive`
    const lines = stdout.split("\n").map((line) => line.replace(/ {2,}/g, "  "))
    expect(lines).toEqual([
      "address  version  role  epoch  state  restarts  handling  waiting  node  host  pid  health",
      expect.stringMatching(new RegExp(`^test/ledger/main  2\\.0\\.1  leader  \\d+  .*  0  -  0  ${one}  ${place}$`)),
      `test/ledger/main  2.0.1  standby  -  standby  0  -  0  ${two}  ${place}`,
      `test/shop/north  1.0.0  member  -  running  0  -  0  ${one}  ${place}`,
      expect.stringMatching(
        new RegExp(`^test/till/1  1\\.2\\.0  member  -  running  0  count for .* m?s  1  ${one}  ${place}$`),
      ),
      `test/till/2  1.2.0  member  -  running  0  -  0  ${one}  ${place}`,
      "",
    ])
  })

  it("prints one JSON document of those who match", async () => {
    const { code, stdout } = await warren(["ps", ...prefix, "--json", "--type", "till", "--id", "1"])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      prefix: bench.prefix,
      members: [
        {
          address: "test/till/1",
          parent: "test/shop/north",
          node: systems[0]?.node,
          handling: [{ message: "count", since: expect.any(Number) }],
          waiting: 1,
          health: "alive",
        },
      ],
      omitted: 0,
    })
  })

  it("says when nobody matches, and exits with 0", async () => {
    const { code, stdout } = await warren(["ps", ...prefix, "--type", "tillage", "--broker", url], { AMQP_URL: "" })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Nobody matches type "tillage", among 5 members on amqp:/)
  })

  it("prints the nodes with their members under those that spawned them", async () => {
    const { code, stdout } = await warren(["tree", ...prefix])
    expect(code).toBe(0)
    expect(stdout.match(/^node /gm)).toHaveLength(2)
    expect(stdout).toContain("├─ test/ledger/main 2.0.1: leader in epoch")
    expect(stdout).toContain("└─ test/ledger/main 2.0.1: standby\n")
    expect(stdout).toMatch(
      /^└─ test\/shop\/north 1\.0\.0: member, running\n {3}├─ test\/till\/1 .*, handling count for .*, 1 waiting\n {3}└─ test\/till\/2 .*$/m,
    )
    const { nodes } = JSON.parse((await warren(["tree", ...prefix, "--json", "--role", "standby"])).stdout)
    expect(nodes).toMatchObject([{ node: systems[1]?.node, pid: process.pid, members: [{ role: "standby" }] }])
  })

  it("is heard while it listens, and leaves with a goodbye at Ctrl-C", async () => {
    const { registry } = systems[0]!
    const { child: listening, ended } = start(["ps", ...prefix, "--wait", "60"])
    await eventually("it is there", async () => (await registry.nodes()).length === 3)
    listening.kill("SIGINT")
    expect(await ended).toEqual({ code: null, signal: "SIGINT", stdout: "", stderr: "" })
    await eventually("it is gone", async () => (await registry.nodes()).length === 2, 2_000)
  })

  it("leaves nothing behind where nobody has ever been", async () => {
    const unused = `${bench.prefix}-typo`
    const { code, stdout } = await warren(["tree", "--prefix", unused])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Nobody is there: no node with the prefix "${unused}" has answered`))
    const looking = bench.run(bench.link.inspectQueue(names(unused).deadLetters))
    await expect(looking).rejects.toBeInstanceOf(NotFound)
  })

  it("says what to do about a broker that is not there, or refuses, without the password, and exits with 1", async () => {
    const asked = Date.now()
    const absent = await warren(["ps", "--broker", "amqp://guest:geheim@127.0.0.1:1/"])
    expect(Date.now() - asked, "it does not try for as long as a system would").toBeLessThan(9_000)
    expect(absent).toMatchObject({ code: 1, stdout: "" })
    expect(absent.stderr).toMatch(/^warren: amqp:\/\/127\.0\.0\.1:1\/ cannot be reached: .*ECONNREFUSED.*\nIs RabbitMQ/)
    const wrong = new URL(url)
    wrong.password = "geheim"
    const refused = await warren(["tree", "--broker", wrong.href])
    expect(refused).toMatchObject({ code: 1, stdout: "" })
    expect(refused.stderr).toMatch(/^warren: the broker refused to connect to .*Check user and password/)
    expect(absent.stderr + refused.stderr).not.toContain("geheim")
  })

  it("shows the usage for a bad command line, and exits with 2", async () => {
    const { code, stdout, stderr } = await warren(["ps", "--jsn"])
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toMatch(/^warren: Unknown option '--jsn'.*\n\n.*\n\n {2}warren ps /)
    expect(await warren(["--help"])).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/warren tree/),
    })
  })
})
