// Compiled slots: a value to and from JSON, checked at both ends.
//
// C1. A slot is compiled once per protocol value, never per message.
// C2. A codec throws `Mismatch` and nothing else, whatever the value is.

import { Schema, SchemaAST } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { enable } from "effect/schema/SchemaJITCompiler"
import type { Action, Ask, Event, Tell } from "./message.ts"
import type { AnyProtocol } from "./protocol.ts"
import { isStream, type MaybeStream, type Slot } from "./slot.ts"

/** A value that its slot does not allow. */
export class Mismatch extends Error {
  override readonly name = "Mismatch"
}

export interface Codec {
  /** A value of the program to a JSON value. */
  readonly encode: (value: unknown) => unknown
  /** A JSON value that somebody sent to a value of the program. */
  readonly decode: (json: unknown) => unknown
}

/** What a handler may answer instead of a value. */
interface Declared {
  readonly error: Codec
  /** Whether a thrown value is an answer that the protocol declares. */
  readonly isDeclared: (error: unknown) => boolean
}

/** The compiled slots of an ask with one payload and one reply, or of a tell, which has no reply and no error. */
export interface CompiledCall extends Declared {
  readonly kind: "ask" | "tell"
  readonly payload: Codec
  readonly reply: Codec
}

/** The compiled slots of an ask that is a stream, of one item where there are many. */
export interface CompiledStream extends Declared {
  readonly kind: "stream"
  readonly payload: Codec
  readonly reply: Codec
  /** Whether the payload is many items. */
  readonly up: boolean
  /** Whether the reply is many items. */
  readonly down: boolean
}

export interface CompiledEvent {
  readonly kind: "event"
  readonly body: Codec
}

export interface CompiledAction extends Declared {
  readonly kind: "action"
  readonly goal: Codec
  readonly feedback: Codec
  readonly result: Codec
}

export type CompiledMessage = CompiledCall | CompiledStream | CompiledEvent | CompiledAction

const guarded =
  (run: (value: unknown) => unknown) =>
  (value: unknown): unknown => {
    try {
      return run(value)
    } catch (error) {
      throw new Mismatch(error instanceof Error ? error.message.replaceAll("\n", " ") : String(error))
    }
  }

const fromSchema = (schema: Schema.Codec<unknown, unknown>): Codec => {
  const [encode, decode] = both(schema)
  const [encodeFinite, decodeFinite] = both(Schema.make<Schema.Codec<unknown, unknown>>(finite(schema.ast)))
  return {
    encode: guarded((value) => attempt(encodeFinite, encode, value)),
    decode: guarded((json) => attempt(decodeFinite, decode, json)),
  }
}

const both = (schema: Schema.Codec<unknown, unknown>) => {
  const json = Schema.toCodecJson(schema)
  enable(json.ast) // the effect documentation calls it unstable; without it a 1 KiB payload costs 19 times as much
  return [Schema.encodeUnknownSync(json), Schema.decodeUnknownSync(json)] as const
}

/** The first is the quick one, for what is usual; whatever it does not take, the second takes or refuses. */
const attempt = (quick: (value: unknown) => unknown, full: (value: unknown) => unknown, value: unknown): unknown => {
  try {
    return quick(value)
  } catch {
    return full(value)
  }
}

const finiteChecks = Schema.Finite.ast.checks!
const finiteParts = new WeakMap<SchemaAST.AST, SchemaAST.AST>()

/**
 * The same schema for numbers that are finite. NaN and the infinities have a JSON form of their own ("NaN", ...), and a
 * schema that has to look for it cannot be compiled: 13 times slower at 1 KiB.
 */
const finite = (ast: SchemaAST.AST): SchemaAST.AST => {
  const known = finiteParts.get(ast)
  if (known !== undefined) return known
  const part = ast.encoding === undefined ? withFiniteParts(ast) : ast
  finiteParts.set(ast, part)
  return part
}

/**
 * Whether no value that one member leaves to the full codec could fit another one: "NaN" would be a text where there may
 * be texts, and an object of one struct may be an object of another.
 */
const isClear = ({ types }: SchemaAST.Union): boolean => {
  const count = (...tags: ReadonlyArray<SchemaAST.AST["_tag"]>) =>
    types.filter((type) => type.encoding === undefined && tags.includes(type._tag)).length
  const numbers = count("Number")
  const texts = count("String", "Literal")
  const parts = count("Objects", "Arrays", "Suspend")
  const rest = count("Null", "Undefined", "Void", "Boolean")
  return numbers + texts + parts + rest === types.length && parts <= 1 && (numbers === 0 || texts === 0)
}

interface Recursive {
  readonly recur: (part: (ast: SchemaAST.AST) => SchemaAST.AST) => SchemaAST.AST
}

// Not in effect's types. Without it the schema stays as it is: right, and slower.
const withFiniteMembers = (ast: SchemaAST.AST): SchemaAST.AST => (ast as Partial<Recursive>).recur?.(finite) ?? ast

const withFiniteParts = (ast: SchemaAST.AST): SchemaAST.AST => {
  switch (ast._tag) {
    case "Number":
      return new SchemaAST.Number(ast.annotations, [...finiteChecks, ...(ast.checks ?? [])], undefined, ast.context)
    case "Union":
      return isClear(ast) ? withFiniteMembers(ast) : ast
    case "Objects":
    case "Arrays":
    case "Suspend":
      return withFiniteMembers(ast)
    default:
      return ast
  }
}

const fromStandard = (schema: StandardSchemaV1): Codec => ({
  // A Standard Schema only goes one way, from what was sent to what is got: the receiver runs it.
  encode: (value) => value,
  decode: guarded((value) => {
    const result = schema["~standard"].validate(value)
    if (result instanceof Promise) throw new Mismatch("asynchronous schemas cannot check a message")
    if (result.issues === undefined) return result.value
    throw new Mismatch(
      result.issues
        .map((issue) => [issue.path?.map(pathKey).join("."), issue.message].filter(Boolean).join(": "))
        .join("; "),
    )
  }),
})

const pathKey = (segment: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof segment === "object" ? segment.key : segment)

const nothing: Codec = { encode: () => undefined, decode: () => undefined }

const isSchema = (slot: Slot): slot is Schema.ConstraintCodec<unknown, unknown, never, never> => Schema.isSchema(slot)

export const compile = (slot: Slot): Codec => {
  if (!isSchema(slot)) return fromStandard(slot as StandardSchemaV1)
  return (slot as unknown) === Schema.Void ? nothing : fromSchema(slot as Schema.Codec<unknown, unknown>)
}

const one = (slot: MaybeStream): Slot => (isStream(slot) ? slot.item : slot)

const compileMessage = (
  message: Ask<MaybeStream, MaybeStream, Slot> | Tell<Slot> | Event<Slot> | Action<Slot, Slot, Slot, Slot>,
): CompiledMessage => {
  switch (message.kind) {
    case "tell":
      return {
        kind: "tell",
        payload: compile(message.payload),
        reply: nothing,
        error: nothing,
        isDeclared: () => false,
      }
    case "ask": {
      const { payload, reply } = message
      const slots = { payload: compile(one(payload)), reply: compile(one(reply)), ...declared(message.error) }
      const [up, down] = [isStream(payload), isStream(reply)]
      return up || down ? { kind: "stream", ...slots, up, down } : { kind: "ask", ...slots }
    }
    case "event":
      return { kind: "event", body: compile(message.body) }
    case "action":
      return {
        kind: "action",
        goal: compile(message.goal),
        feedback: compile(message.feedback),
        result: compile(message.result),
        ...declared(message.error),
      }
  }
}

const declared = (slot: Slot): Declared => {
  const error = compile(slot)
  return { error, isDeclared: declares(slot, error) }
}

/** An Effect Schema knows its own values; of a Standard Schema we ask whether it would accept the value at the far end. */
const declares = (slot: Slot, codec: Codec): ((error: unknown) => boolean) => {
  if (isSchema(slot)) return (slot as unknown) === Schema.Never ? () => false : Schema.is(slot as unknown as Schema.Top)
  return (error) => {
    if (error instanceof Error) return false
    try {
      codec.decode(error)
      return true
    } catch {
      return false
    }
  }
}

const cache = new WeakMap<AnyProtocol, ReadonlyMap<string, CompiledMessage>>()

/** The compiled messages of a protocol, by name. */
export const compiled = (protocol: AnyProtocol): ReadonlyMap<string, CompiledMessage> => {
  const known = cache.get(protocol)
  if (known) return known
  const messages = new Map(
    Object.entries(protocol.messages).map(([name, message]) => [name, compileMessage(message as Tell<Slot>)] as const),
  )
  cache.set(protocol, messages)
  return messages
}
