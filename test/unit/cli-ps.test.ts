import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { LinkLost, Refused } from "../../src/broker/errors.ts"
import { failure } from "../../src/cli/failure.ts"
import { coloured, paintFor, plain } from "../../src/cli/paint.ts"
import { psDocument, psText } from "../../src/cli/ps.ts"
import { table } from "../../src/cli/table.ts"
import { age, counted, shortNode, work } from "../../src/cli/wording.ts"
import { BrokerUnreachable } from "../../src/system/running.ts"
import { aNode, listed, now, snapshot } from "./cli-fixture.ts"

const other = "0197a1b2-0000-7000-8000-0000bbbb0002"
const busy = listed("acme/till/2", {
  handling: [
    { message: "count", since: now - 1_500 },
    { message: "open", since: now - 20 },
  ],
  waiting: 12,
  restarts: 3,
})
const leader = listed("acme/ledger/main", { role: "leader", epoch: 7, state: "leading.running", version: "2.0.1" })
const standby = listed("acme/ledger/main", {
  role: "standby",
  state: "standby",
  version: "2.0.1",
  node: other,
  host: "web-0",
  pid: 9,
  health: "suspect",
  why: "no beat for 8.0 s",
})
const three = snapshot([standby, busy, leader], [aNode(), aNode({ node: other, host: "web-0", pid: 9 })])

describe("`warren ps`", () => {
  it("has a line for each member, the leader of an address first, numbers to the right", () => {
    expect(`\n${psText(three, {}, plain)}\n`).toBe(`
address           version  role     epoch  state            restarts  handling                    waiting  node      host    pid  health
acme/ledger/main  2.0.1    leader       7  leading.running         0  -                                 0  aaaa0001  web-1  4711  alive
acme/ledger/main  2.0.1    standby      -  standby                 0  -                                 0  bbbb0002  web-0     9  suspect: no beat for 8.0 s
acme/till/2       1.0.0    member       -  running                 3  count for 1.5 s and 1 more       12  aaaa0001  web-1  4711  alive
`)
  })

  it("sorts addresses as people count: 2 comes before 10", () => {
    const members = ["10", "2", "1"].map((id) => listed(`acme/till/${id}`))
    const lines = psText(snapshot(members), {}, plain).split("\n").slice(1)
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["acme/till/1", "acme/till/2", "acme/till/10"])
  })

  it("shows only those who match", () => {
    expect(psText(three, { role: "standby" }, plain).split("\n")).toHaveLength(2)
    expect(psDocument(three, { type: "till" })).toMatchObject({ members: [{ address: "acme/till/2" }] })
    expect(psDocument(three, { type: "til" })).toMatchObject({ members: [] })
  })

  it("says that nobody is there, and what to try", () => {
    expect(psText(snapshot([], []), {}, plain)).toMatch(
      /^Nobody is there: no node with the prefix "warren" has answered on amqp:\/\/broker:5672\/\.\n.*--broker.*--prefix.*--wait/,
    )
    expect(psText(snapshot([]), {}, plain)).toMatch(/^No actor runs on .*: 1 node with the prefix "warren"/)
    expect(psText(three, { type: "tills" }, plain)).toMatch(/^Nobody matches type "tills", among 3 members on amqp/)
  })

  it("says how many members there are that no beat has told of", () => {
    const crowded = snapshot([busy], [aNode()], 2)
    expect(psText(crowded, {}, plain).split("\n").at(-1)).toBe("and 2 members for which the beats had no room")
    expect(psDocument(crowded, {})).toMatchObject({ omitted: 2 })
    expect(psDocument(three, {})).toMatchObject({ omitted: 0 })
  })

  it("gives programs everything, unshortened", () => {
    expect(psDocument(three, {})).toEqual({
      broker: "amqp://broker:5672/",
      prefix: "warren",
      at: now,
      members: [leader, standby, busy],
      omitted: 0,
    })
  })

  it("is the same text in colours as without", () => {
    const text = psText(three, {}, coloured)
    expect(text).toContain("\x1b[32mleader\x1b[0m ")
    expect(text).toContain("\x1b[31msuspect: no beat for 8.0 s\x1b[0m")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are made of
    expect(text.replace(/\x1b\[\d+m/g, "")).toBe(psText(three, {}, plain))
  })
})

describe("colours", () => {
  it("are for terminals, unless NO_COLOR is set", () => {
    expect(paintFor({ isTTY: true }, {})).toBe(coloured)
    expect(paintFor({ isTTY: true }, { NO_COLOR: "" })).toBe(coloured)
    expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })).toBe(plain)
    expect(paintFor({}, {})).toBe(plain)
  })
})

describe("a table", () => {
  it("has columns that begin, or end, in line, whatever is in them", () => {
    const cell = fc.stringMatching(/^[a-z]{0,12}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 8 }), (rows) => {
        const column = (index: 0 | 1 | 2, align?: "right") => ({
          heading: "head",
          text: (row: readonly [string, string, string]) => row[index],
          ...(align && { align }),
        })
        const lines = table([column(0), column(1, "right"), column(2)], rows, plain)
        const first = Math.max(4, ...rows.map(([a]) => a.length))
        const second = first + 2 + Math.max(4, ...rows.map(([, b]) => b.length))
        expect(lines).toHaveLength(rows.length + 1)
        rows.forEach(([a, b, c], index) => {
          const line = lines[index + 1]!
          expect(line.slice(0, first).trimEnd()).toBe(a)
          expect(line.slice(first + 2, second).trimStart()).toBe(b)
          expect(line.slice(second + 2)).toBe(c)
        })
      }),
    )
  })
})

describe("words", () => {
  it("for ages grow with them", () => {
    const hour = 3_600_000
    expect([-5, 0, 12, 1_500, 90_000, 3 * hour, 47 * hour, 48 * hour, 125 * hour].map(age)).toEqual([
      "0 ms",
      "0 ms",
      "12 ms",
      "1.5 s",
      "1.5 min",
      "3 h",
      "47 h",
      "2 d",
      "5.2 d",
    ])
  })

  it("for counts know one from many", () => {
    expect([0, 1, 2].map((count) => counted(count, "node"))).toEqual(["0 nodes", "1 node", "2 nodes"])
  })

  it("for nodes tell those apart that were started in the same second", () => {
    const ids = ["01a1fe3e-8071-7710-a361-b73c24276f66", "01a1fe3e-8071-7711-b0d4-99f4d2acccd6"]
    expect(ids.map(shortNode)).toEqual(["24276f66", "d2acccd6"])
  })

  it("for work say how long the oldest takes, and that there may be more than a beat tells", () => {
    const handling = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ message: `m${n}`, since: now - 1_000 + n }))
    expect([0, 1, 3, 4].map((count) => work({ handling: handling(count) }, now))).toEqual([
      undefined,
      "m0 for 1 s",
      "m0 for 1 s and 2 more",
      "m0 for 1 s and 3 or more",
    ])
  })
})

describe("a failure", () => {
  const url = "amqp://user:secret@far:5673/shop"

  it("names the broker without the password, and what to do", () => {
    const lost = new LinkLost({ why: "connect to amqp://far:5673/shop: connect ECONNREFUSED" })
    expect(failure(lost, url)).toBe(
      "amqp://far:5673/shop cannot be reached: connect ECONNREFUSED\n" +
        "Is RabbitMQ running there? Name another with --broker URL, or in the AMQP_URL of the environment.",
    )
    const late = new BrokerUnreachable({ broker: "amqp://far:5673/shop", after: 10_000, why: "no answer" })
    expect(failure(late, url)).toMatch(/^amqp:\/\/far:5673\/shop cannot be reached: no answer\nIs RabbitMQ/)
  })

  it("passes on what the broker refuses, with its own advice", () => {
    const refused = new Refused({ what: "declare queue q", why: "no permission", next: "Ask for it." })
    expect(failure(refused, url)).toBe(
      "amqp://far:5673/shop: the broker refused to declare queue q: no permission. Ask for it.",
    )
    expect(failure("nonsense", url)).toBe("amqp://far:5673/shop: nonsense")
  })
})
