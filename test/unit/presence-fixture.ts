// Beats and members of which a test says only what it is about.

import fc from "fast-check"
import type { Beat, MemberReport } from "../../src/wire/beat.ts"

export const aMember = (what: Partial<MemberReport>): MemberReport => ({
  address: "acme/worker/1",
  version: "1.0.0",
  role: "member",
  epoch: 0,
  state: "running",
  restarts: 0,
  handling: [],
  waiting: 0,
  ...what,
})

export const aBeat = (what: Partial<Beat>): Beat => ({
  node: "n1",
  seq: 1,
  interval: 5_000,
  at: 1_700_000_000_000,
  host: "box",
  pid: 42,
  startedAt: 1_600_000_000_000,
  warren: "0.1.0",
  lag: 0,
  bye: false,
  members: [],
  omitted: 0,
  ...what,
})

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/)
export const address = fc.tuple(token, token, token).map((parts) => parts.join("/"))
const line = (maxLength: number) =>
  fc.stringMatching(/^[\w .:äß"\\-]+$/, { maxLength }).filter((text) => text.length > 0)

const member: fc.Arbitrary<MemberReport> = fc.record(
  {
    address,
    version: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)).map((parts) => parts.join(".")),
    role: fc.constantFrom("member", "leader", "standby"),
    epoch: fc.maxSafeNat(),
    state: line(128),
    restarts: fc.nat(),
    parent: address,
    handling: fc.array(fc.record({ message: line(127), since: fc.maxSafeNat() }, { noNullPrototype: true }), {
      maxLength: 4,
    }),
    waiting: fc.nat(),
  },
  {
    requiredKeys: ["address", "version", "role", "epoch", "state", "restarts", "handling", "waiting"],
    noNullPrototype: true,
  },
)

/** Any that can be. */
export const beats: fc.Arbitrary<Beat> = fc
  .record(
    {
      node: token,
      seq: fc.maxSafeNat(),
      interval: fc.integer({ min: 10, max: 600_000 }),
      at: fc.maxSafeNat(),
      host: line(255),
      pid: fc.nat(),
      startedAt: fc.maxSafeNat(),
      warren: line(64),
      link: line(64),
      inbox: line(255),
      lag: fc.nat(),
      bye: fc.boolean(),
      members: fc.array(member, { maxLength: 5 }),
      omitted: fc.nat(),
    },
    {
      requiredKeys: [
        "node",
        "seq",
        "interval",
        "at",
        "host",
        "pid",
        "startedAt",
        "warren",
        "lag",
        "bye",
        "members",
        "omitted",
      ],
      noNullPrototype: true,
    },
  )
  .map((beat) => (beat.bye ? { ...beat, members: [], omitted: 0 } : beat))
