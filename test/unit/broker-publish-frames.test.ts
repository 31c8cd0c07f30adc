// A publish written in one piece is what the client library would have written.

import fc from "fast-check"
import * as library from "rabbitmq-client/lib/codec.js"
import { expect, it } from "vitest"
import { encodePublish } from "../../src/broker/rabbitmq/publish-frames.ts"

const { genContentFrames } = library as unknown as {
  readonly genContentFrames: (channel: number, message: object, body: Buffer, most: number) => Iterable<Buffer>
}
const frameMax = 4096

const text = fc.string({ maxLength: 20, unit: "grapheme" })
const maybe = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })
const message = fc.record({
  exchange: text,
  routingKey: text,
  mandatory: fc.boolean(),
  durable: fc.boolean(),
  contentType: maybe(text),
  contentEncoding: maybe(text),
  headers: fc.constant(undefined),
  correlationId: maybe(text),
  replyTo: maybe(text),
  expiration: maybe(fc.constantFrom("0", "60000")),
  messageId: maybe(text),
  timestamp: maybe(fc.nat(2 ** 40)),
  type: maybe(text),
  appId: maybe(text),
})

it("its bytes are those of the library, whatever the properties and the body are", () =>
  fc.assert(
    fc.property(message, fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(65535), (it, content, channel) => {
      const fields = { ...it, deliveryMode: it.durable ? 2 : 1, rsvp1: 0 }
      const theirs = Buffer.concat([...genContentFrames(channel, fields, Buffer.from(content), frameMax)])
      expect(encodePublish(channel, it, content, frameMax)?.toString("hex")).toBe(theirs.toString("hex"))
    }),
  ))

it("headers, an empty body, and a body of more than one frame are left to the library", () => {
  const [usual] = fc.sample(message, 1)
  const encode = (headers: object | undefined, bytes: number) =>
    encodePublish(1, { ...usual!, headers: headers as never }, Buffer.alloc(bytes), frameMax)
  expect(encode(undefined, frameMax - 8)).toBeInstanceOf(Buffer)
  expect(encode(undefined, frameMax - 7)).toBeUndefined()
  expect(encode(undefined, 0)).toBeUndefined()
  expect(encode({ a: 1 }, 10)).toBeUndefined()
})
