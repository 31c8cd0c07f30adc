import type { Socket } from "node:net"
import { PassThrough } from "node:stream"
import { describe, expect, it } from "vitest"
import { onLines } from "../../chaos/lines.ts"
import type { Sighting } from "../../chaos/operations.ts"
import { difference, fits, lineOf } from "../../chaos/worker/registry.ts"

const sighting = (id: string, role: Sighting["role"] = "member"): Sighting => ({
  node: "n1",
  domain: "chaos",
  type: "unit",
  id,
  version: "1.2.0",
  role,
})
const setOf = (...sightings: readonly Sighting[]) => new Set(sightings.map(lineOf))

describe("a view of a registry", () => {
  it("is the truth when it shows exactly that, in any order", () => {
    expect(difference([sighting("b"), sighting("a")], setOf(sighting("a"), sighting("b")))).toBeUndefined()
    expect(difference([], setOf())).toBeUndefined()
  })

  it.each([
    ["somebody who is gone", [sighting("a"), sighting("b")], /^shows n1 chaos unit b/],
    ["another role", [sighting("a", "leader")], /^shows n1 chaos unit a 1.2.0 leader/],
    ["somebody twice", [sighting("a"), sighting("a")], /^shows somebody twice/],
    ["nobody", [], /^does not show n1 chaos unit a/],
  ])("is not when it shows %s", (_, seen, message) => {
    expect(difference(seen, setOf(sighting("a")))).toMatch(message)
  })

  it("is filtered by equality of all that is said", () => {
    const one = sighting("abc")
    expect(fits(one, {})).toBe(true)
    expect(fits(one, { id: "abc", role: "member" })).toBe(true)
    expect(fits(one, { id: "ab" })).toBe(false)
    expect(fits(one, { id: "abc", role: "leader" })).toBe(false)
  })
})

it("lines come whole however they were cut, and what was not ended is no line", async () => {
  const socket = new PassThrough()
  const lines: string[] = []
  onLines(socket as unknown as Socket, (line) => lines.push(line))
  for (const piece of ["o", "ne\ntw", "o\n\nthr", "ee"]) socket.write(piece)
  socket.end()
  await new Promise((ended) => socket.once("close", ended).once("end", ended))
  expect(lines).toEqual(["one", "two", ""])
})
