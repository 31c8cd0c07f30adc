// Beats: what is written can be read, and whatever else comes is refused without harm.

import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type Beat,
  beatKey,
  beatType,
  decodeBeat,
  encodeBeat,
  type MemberReport,
  maxHandling,
  maxInterval,
  maxMembers,
} from "../../src/wire/beat.ts"
import { isMalformed } from "../../src/wire/malformed.ts"
import { warrenVersion } from "../../src/wire/version.ts"
import { aBeat, address, aMember, beats } from "./presence-fixture.ts"

const read = (beat: Beat, key = beatKey(beat.node)) => decodeBeat({ ...encodeBeat(beat), routingKey: key })
const readJson = (json: unknown, key = "beat.n1") =>
  decodeBeat({ contentType: beatType, routingKey: key, body: Buffer.from(JSON.stringify(json)) })
const json = (beat: Beat) => JSON.parse(encodeBeat(beat).body.toString()) as Record<string, unknown>

describe("a beat", () => {
  it("comes back as it was sent", () => {
    fc.assert(
      fc.property(beats, (beat) => {
        expect(read(beat)).toStrictEqual(beat)
      }),
    )
  })

  it("can be read whatever a member reports of itself", () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60))
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 400 }), fc.constantFrom("", "\n", "\u0000\u001b[2J"))
    const wild: fc.Arbitrary<MemberReport> = fc.record({
      address: fc.oneof(address, text),
      version: fc.oneof(fc.constant("1.2.3"), text),
      role: fc.constantFrom("member", "leader", "standby"),
      epoch: number,
      state: text,
      restarts: number,
      parent: fc.oneof(address, text),
      handling: fc.array(fc.record({ message: text, since: number }), { maxLength: 9 }),
      waiting: number,
    })
    fc.assert(
      fc.property(fc.array(wild, { maxLength: 5 }), text, number, (members, host, lag) => {
        const back = read(aBeat({ members, host, lag }))
        if (isMalformed(back)) throw new Error(back.why)
        expect(back.members.length + back.omitted).toBe(members.length)
      }),
    )
  })

  it("of very many members tells of as many as it has room for, and how many it leaves out", () => {
    const members = Array.from({ length: maxMembers + 7 }, (_, n) => aMember({ address: `a/b/${n}` }))
    const back = read(aBeat({ members, omitted: 1 }))
    expect(back).toMatchObject({ omitted: 8 })
    expect(back).toHaveProperty("members.length", maxMembers)
  })

  it("is small: a member at rest costs less than 100 bytes", () => {
    const size = (n: number) =>
      encodeBeat(aBeat({ members: Array.from({ length: n }, (_, id) => aMember({ address: `acme/worker/${id}` })) }))
        .body.length
    expect((size(30) - size(10)) / 20).toBeLessThan(100)
  })

  it("that says goodbye has no members", () => {
    expect(read(aBeat({ bye: true, members: [aMember({})] }))).toStrictEqual(aBeat({ bye: true, members: [] }))
    expect(readJson({ ...json(aBeat({ members: [aMember({})] })), bye: true })).toMatchObject({ kind: "malformed" })
  })

  it("is believed only under the key of its node", () => {
    expect(read(aBeat({ node: "n1" }), "beat.n2")).toMatchObject({
      kind: "malformed",
      why: "a beat of node n1 under the key beat.n2",
    })
  })

  it.each<[string, Record<string, unknown>]>([
    ["a node that is no token", { node: "n.1" }],
    ["no node", { node: undefined }],
    ["a negative number", { seq: -1 }],
    ["a number that is none", { seq: "7" }],
    ["a broken number", { seq: 1.5 }],
    ["a huge number", { seq: 2 ** 60 }],
    ["an interval of nothing", { interval: 0 }],
    ["an interval of a year", { interval: maxInterval + 1 }],
    ["no host", { host: "" }],
    ["a host that breaks the line", { host: "a\nb" }],
    ["a long host", { host: "x".repeat(256) }],
    ["a negative lag", { lag: -1 }],
    ["no time", { at: null }],
    ["a link that is a number", { link: 7 }],
    ["an inbox that breaks the line", { inbox: "a\nb" }],
    ["half a goodbye", { bye: 1 }],
    ["members that are no list", { members: { length: 1 } }],
    ["too many members", { members: Array.from({ length: maxMembers + 1 }, () => ({})) }],
    ["members that are numbers", { members: [1] }],
    ["members that are null", { members: [null] }],
  ])("with %s is refused", (_, wrong) => {
    expect(readJson({ ...json(aBeat({ node: "n1" })), ...wrong })).toMatchObject({ kind: "malformed" })
  })

  it.each<[string, Record<string, unknown>]>([
    ["an address of two parts", { address: "a/b" }],
    ["an address of four", { address: "a/b/c/d" }],
    ["an address with dots", { address: "a/b.c/d" }],
    ["an address that is a list", { address: ["a/b/c"] }],
    ["no version", { version: "" }],
    ["a version without a major", { version: "x.1" }],
    ["a long version", { version: `1.${"0".repeat(99)}` }],
    ["a role of its own", { role: "king" }],
    ["a role of Object.prototype", { role: "constructor" }],
    ["no state", { state: undefined }],
    ["a state with an escape sequence", { state: "\u001b[2J" }],
    ["a parent that is none", { parent: "root" }],
    ["an epoch as text", { epoch: "1" }],
    ["restarts below zero", { restarts: -1 }],
    ["waiting that is not whole", { waiting: 0.5 }],
    ["handling that is no list", { handling: {} }],
    ["much handling", { handling: Array.from({ length: maxHandling + 1 }, () => ({ message: "x", since: 1 })) }],
    ["handling of nothing", { handling: [null] }],
    ["handling without a name", { handling: [{ since: 1 }] }],
    ["handling since ever", { handling: [{ message: "x", since: -1 }] }],
  ])("of a member with %s is refused as a whole", (_, wrong) => {
    const members = [aMember({}), { ...aMember({}), ...wrong }]
    expect(readJson({ ...json(aBeat({ node: "n1" })), members })).toMatchObject({ kind: "malformed" })
  })

  it("of a newer version is read as far as it is known", () => {
    const newer = { ...json(aBeat({ node: "n1" })), members: [{ ...aMember({}), mood: "good" }], colour: "red" }
    expect(readJson(newer)).toStrictEqual(aBeat({ node: "n1", members: [aMember({})] }))
  })

  it("keeps nothing of `__proto__`", () => {
    const body = Buffer.from(encodeBeat(aBeat({})).body.toString().replace("{", '{"__proto__":{"bye":true},'))
    expect(decodeBeat({ contentType: beatType, routingKey: "beat.n1", body })).toStrictEqual(aBeat({}))
  })

  it("is nothing but JSON of its own content type, and of bounded size", () => {
    const { body } = encodeBeat(aBeat({}))
    const routingKey = "beat.n1"
    const large = Buffer.alloc(13 * 1024 * 1024, 0x20)
    for (const message of [
      { routingKey, body },
      { contentType: "application/json", routingKey, body },
      { contentType: beatType, routingKey, body: body.subarray(1) },
      { contentType: beatType, routingKey, body: Buffer.from([0xff]) },
      { contentType: beatType, routingKey, body: large },
    ]) {
      expect(decodeBeat(message)).toMatchObject({ kind: "malformed" })
    }
  })

  it("that is any bytes at all is never a reason to throw", () => {
    const any = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(any, fc.string(), (bytes, routingKey) => {
        decodeBeat({ contentType: beatType, routingKey, body: Buffer.from(bytes) })
      }),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...Object.keys(json(aBeat({ omitted: 1 })))), fc.jsonValue()),
        (given) => {
          readJson({ ...json(aBeat({ node: "n1" })), ...given })
        },
      ),
    )
  })
})

describe("the version that nodes tell each other", () => {
  it("is that of the package", () => {
    const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
    expect(warrenVersion).toBe(JSON.parse(manifest).version)
  })
})
