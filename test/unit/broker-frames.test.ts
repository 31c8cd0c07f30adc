// Frames read in one go are what the client library would have read, however they are cut to pieces on the way.

import fc from "fast-check"
import * as library from "rabbitmq-client/lib/codec.js"
import { expect, it } from "vitest"
import { basicDeliver, body, decode, type Frame, Frames, header } from "../../src/broker/rabbitmq/frames.ts"

const codec = library as unknown as {
  readonly decodeFrame: (read: (bytes: number) => Promise<Buffer>) => Promise<Frame>
  readonly encodeFrame: (frame: object) => Buffer
  readonly genContentFrames: (channel: number, params: object, body: Buffer, most: number) => Iterable<Buffer>
}

const theirs = async (frame: Buffer): Promise<Frame> => {
  let at = 0
  return codec.decodeFrame(async (bytes) => {
    at += bytes
    return frame.subarray(at - bytes, at)
  })
}

const text = fc.string({ maxLength: 20, unit: "grapheme" })
const maybe = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })
const properties = fc.record({
  exchange: fc.constant("x"),
  routingKey: fc.constant("k"),
  contentType: maybe(text),
  contentEncoding: maybe(text),
  deliveryMode: fc.constantFrom(1, 2),
  priority: maybe(fc.nat(9)),
  correlationId: maybe(text),
  replyTo: maybe(text),
  expiration: maybe(fc.constantFrom("0", "60000")),
  messageId: maybe(text),
  timestamp: maybe(fc.nat(2 ** 31)),
  type: maybe(text),
  appId: maybe(text),
  headers: maybe(fc.constantFrom({}, { a: 1, b: "text", c: true })),
})
const delivery = fc.record({
  consumerTag: text,
  deliveryTag: fc.nat(2 ** 31).map((n) => n * 1_000),
  redelivered: fc.boolean(),
  exchange: text,
  routingKey: text,
})
const ack = fc.record({ deliveryTag: fc.nat(2 ** 31), multiple: fc.boolean() })

/** The frames of a message that is delivered, and of a confirm before it. */
const arriving = fc
  .tuple(ack, delivery, properties, fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 20, max: 200 }))
  .map(([confirm, params, fields, content, most]) => {
    const method = (methodId: number, params: object) => codec.encodeFrame({ type: 1, channelId: 3, methodId, params })
    const [, ...rest] = [...codec.genContentFrames(3, { ...fields, rsvp1: 0 }, Buffer.from(content), 4096 + most)]
    return [method(0x003c0050, confirm), method(basicDeliver, params), ...rest]
  })

it("frames are found and decoded as the library does it, whatever the chunks are", () =>
  fc.assert(
    fc.asyncProperty(fc.array(arriving, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(40)), async (all, cuts) => {
      const stream = Buffer.concat(all.flat().flatMap((part) => [part]))
      const frames = new Frames()
      const found: Array<Buffer> = []
      for (let at = 0, n = 0; at < stream.length; n++) {
        const end = at + 1 + (cuts[n] ?? stream.length)
        frames.add(stream.subarray(at, end))
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) found.push(frame)
        at = end
      }
      expect(Buffer.concat(found)).toStrictEqual(stream)
      for (const frame of found) {
        const ours = decode(frame)
        const wanted = await theirs(frame)
        if (ours !== undefined) expect(ours).toStrictEqual(wanted)
        else expect(wanted, "only a table of headers is left to the library here").toHaveProperty("fields.headers")
        if (frame[0] === body || frame[0] === header) expect(ours?.type ?? header).toBe(frame[0])
      }
    }),
  ))

it("a frame that does not end where it says is an error, and a rare method is left to the library", () => {
  const broken = new Frames()
  broken.add(Buffer.from([1, 0, 0, 0, 0, 0, 1, 0, 0]))
  expect(() => broken.next()).toThrow("does not end")
  const close = codec.encodeFrame({
    type: 1,
    channelId: 0,
    methodId: 0x000a0032,
    params: { replyCode: 320, replyText: "CONNECTION_FORCED", methodId: 0 },
  })
  expect(decode(close)).toBeUndefined()
})
