import { describe, expect, it } from "vitest"
import { type Evidence, order, type Step, suitesFor, type Wish } from "../../scripts/broker/order.ts"
import type { Debian } from "../../scripts/broker/source.ts"

const debian = (suite: string, version: string): Debian => ({ kind: "debian", suite, version, root: `/cache/${suite}` })
const installed = {
  kind: "installed",
  version: "3.12.1",
  sbin: "/usr/lib/rabbitmq/bin",
  epmd: "/usr/bin/epmd",
} as const
const everything: Evidence = {
  given: { kind: "given", url: "amqp://elsewhere", version: "4.1.0" },
  installed: [installed],
  docker: true,
  unpacked: [debian("trixie", "4.0.5"), debian("bookworm", "3.10.8")],
  suites: ["bookworm", "trixie", "forky", "sid"],
}
const bare: Evidence = { given: undefined, installed: [], docker: false, unpacked: [], suites: everything.suites }

const name = (step: Step) =>
  step.use
    ? step.use.kind === "debian"
      ? step.use.suite
      : `${step.use.kind} ${step.use.version}`
    : `get ${step.unpack}`
const steps = (evidence: Evidence, wish: Wish = {}) => order(evidence, wish).map(name)

describe("the order of brokers", () => {
  it("is AMQP_URL, then an installed RabbitMQ, then Docker, then Debian's packages", () => {
    expect(steps(everything).slice(0, 4)).toEqual(["given 4.1.0", "installed 3.12.1", "docker 4", "trixie"])
  })

  it("skips AMQP_URL and an installed RabbitMQ of another series when a version is asked for", () => {
    expect(steps(everything, { version: "4.0" })).toEqual(["docker 4.0", "trixie"])
  })

  it("takes what is unpacked before it downloads", () => {
    expect(steps({ ...bare, unpacked: [debian("bookworm", "3.10.8")] })[0]).toBe("bookworm")
    expect(steps(bare)[0]).toBe("get trixie")
  })

  it("looks for the newest in testing, then in unstable", () => {
    expect(steps(bare, { version: "newest" })).toEqual(["get forky", "get sid"])
  })

  it("does not take 4.30 for 4.3", () => {
    expect(steps({ ...bare, unpacked: [debian("forky", "4.30.0")] }, { version: "4.3" })).not.toContain("forky")
  })

  it("offers only the kind that is asked for", () => {
    expect(steps(everything, { from: "docker" })).toEqual(["docker 4"])
    expect(steps(bare, { from: "installed" })).toEqual([])
  })

  it("offers nothing on a machine that has nothing", () => {
    expect(steps({ ...bare, suites: [] })).toEqual([])
  })

  it("stays within the suites that the machine can reach", () => {
    expect(suitesFor("4.0", ["noble"])).toEqual([])
    expect(suitesFor(undefined, ["noble"])).toEqual(["noble"])
  })
})
