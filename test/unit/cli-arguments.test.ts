import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BadArguments, readArguments, usage } from "../../src/cli/arguments.ts"

const read = (line: string, env: Record<string, string> = {}) =>
  readArguments(
    line.split(" ").filter((word) => word !== ""),
    env,
  )
const wrong = (line: string, env: Record<string, string> = {}): string => {
  try {
    read(line, env)
  } catch (error) {
    expect(error).toBeInstanceOf(BadArguments)
    return (error as Error).message
  }
  throw new Error(`${line} was taken`)
}

describe("the command line", () => {
  it("has defaults", () => {
    expect(read("ps")).toEqual({
      command: "ps",
      broker: "amqp://guest:guest@127.0.0.1:5672",
      prefix: "warren",
      filter: {},
      wait: 0,
      json: false,
    })
  })

  it("takes options on both sides of the command", () => {
    const filter = "--domain acme --type till --id 1 --version 1.2.0 --role leader"
    expect(read(`--json tree --broker amqps://u:p@far/v --prefix own ${filter} --wait 1.5`)).toEqual({
      command: "tree",
      broker: "amqps://u:p@far/v",
      prefix: "own",
      filter: { domain: "acme", type: "till", id: "1", version: "1.2.0", role: "leader" },
      wait: 1_500,
      json: true,
    })
  })

  it("takes the broker from --broker, else from AMQP_URL, else the one on this machine", () => {
    const env = { AMQP_URL: "amqp://from-env" }
    expect(read("ps --broker amqp://from-flag", env)).toMatchObject({ broker: "amqp://from-flag" })
    expect(read("ps", env)).toMatchObject({ broker: "amqp://from-env" })
    expect(read("ps", { AMQP_URL: "" })).toMatchObject({ broker: "amqp://guest:guest@127.0.0.1:5672" })
  })

  it("gives help before it complains about the rest", () => {
    expect(read("--help")).toEqual({ command: "help" })
    expect(read("-h nonsense --prefix ?")).toEqual({ command: "help" })
    for (const name of ["broker", "prefix", "domain", "type", "id", "version", "role", "wait", "json", "help"]) {
      expect(usage).toContain(`--${name}`)
    }
  })

  it("says what is wrong, and what it wants", () => {
    expect(wrong("")).toBe("want a command, ps or tree")
    expect(wrong("top")).toBe("want a command, ps or tree, not top")
    expect(wrong("ps tree")).toBe("ps takes options only, not tree")
    expect(wrong("ps --jsn")).toMatch(/^Unknown option '--jsn'/)
    expect(wrong("ps --type")).toMatch(/--type/)
    expect(wrong("ps --prefix a.b")).toMatch(/^--prefix a\.b: want 1 to 32 letters/)
    expect(wrong(`ps --prefix ${"p".repeat(33)}`)).toMatch(/want 1 to 32/)
    expect(wrong("ps --id a/b")).toMatch(/^--id a\/b: want 1 to 63 letters/)
    expect(wrong("ps --version 1")).toBe("--version 1: want a whole version such as 1.2.0")
    expect(wrong("ps --role boss")).toBe("--role boss: want member, leader or standby")
    for (const wait of ["soon", "1e3", "601", "-1", "Infinity"]) expect(wrong(`ps --wait=${wait}`)).toMatch(/0 to 600/)
  })

  it("takes nothing but URLs of AMQP for a broker, and says where it was named", () => {
    expect(wrong("ps --broker embedded")).toMatch(/^--broker: a url is not of the form amqp:/)
    expect(wrong("ps", { AMQP_URL: "https://host" })).toMatch(/^AMQP_URL: a url starts with amqp:\/\/ or amqps:\/\//)
    expect(wrong("ps --broker amqp://host?heartbeat=often")).toMatch(/^--broker: heartbeat must be a number/)
  })

  it("never repeats a password, wherever the URL was put (A1)", () => {
    const password = fc.stringMatching(/^[\w%!~*-]{6,20}$/).map((text) => `Geheim${text}`)
    const place = fc.constantFrom(
      "",
      "ps ",
      "ps --brokr=",
      "ps --broker=http",
      "ps --broker=amqp",
      "tree --broker ps x",
    )
    fc.assert(
      fc.property(password, place, fc.constantFrom("", "?heartbeat=x"), (secret, before, after) => {
        try {
          read(`${before}://user:${secret}@host/vhost${after}`)
        } catch (error) {
          expect((error as Error).message).not.toContain("Geheim")
        }
      }),
    )
    expect(wrong("ps amqp://user:Geheim@host")).toBe("ps takes options only")
    expect(wrong("amqp://user:Geheim@host")).toBe("want a command, ps or tree")
  })
})
