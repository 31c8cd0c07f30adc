// The client of an actor: a plain object built from its protocol, with a function for every message.

import { Route } from "../messaging/route.ts"
import type { EffectClient, Ref } from "../protocol/client.ts"
import {
  type CompiledAction,
  type CompiledCall,
  type CompiledEvent,
  type CompiledStream,
  compiled,
} from "../protocol/codec.ts"
import type { Message } from "../protocol/message.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import { format, invalid } from "../wire/address.ts"
import { effectAction, promiseAction } from "./action-client.ts"
import { effectCall, promiseCall } from "./call-client.ts"
import type { ClientOptions } from "./client-options.ts"
import { effectEvent, promiseEvent } from "./event-client.ts"
import { effectStream, promiseStream } from "./stream-client.ts"

type Build<C> = (client: ClientOptions, to: Route, name: string, message: Message, codec: C) => unknown
type BuildEvent = (client: ClientOptions, protocol: AnyProtocol, name: string, codec: CompiledEvent) => unknown

/** How the messages of each kind are sent: with promises, or with Effects. */
interface Face {
  readonly call: Build<CompiledCall>
  readonly stream: Build<CompiledStream>
  readonly event: BuildEvent
  readonly action: Build<CompiledAction>
}

const promises: Face = { call: promiseCall, stream: promiseStream, event: promiseEvent, action: promiseAction }
const effects: Face = { call: effectCall, stream: effectStream, event: effectEvent, action: effectAction }

const build = (client: ClientOptions, protocol: AnyProtocol, face: Face): Record<string, unknown> => {
  const wrong = invalid(client.to)
  if (wrong !== undefined) throw new TypeError(wrong)
  const to = new Route(client.node, client.to)
  const calls: Record<string, unknown> = Object.create(null)
  for (const [name, codec] of compiled(protocol)) {
    const message = protocol.messages[name]!
    switch (codec.kind) {
      case "stream":
        calls[name] = face.stream(client, to, name, message, codec)
        break
      case "event":
        calls[name] = face.event(client, protocol, name, codec)
        break
      case "action":
        calls[name] = face.action(client, to, name, message, codec)
        break
      default:
        calls[name] = face.call(client, to, name, message, codec)
    }
  }
  return calls
}

/** @throws TypeError when the address is badly formed. */
export const promiseClient = <P extends AnyProtocol>(client: ClientOptions, protocol: P): Ref<P> =>
  Object.assign(build(client, protocol, promises), { $address: format(client.to) }) as unknown as Ref<P>

/** @throws TypeError when the address is badly formed. */
export const effectClient = <P extends AnyProtocol>(client: ClientOptions, protocol: P): EffectClient<P["messages"]> =>
  build(client, protocol, effects) as unknown as EffectClient<P["messages"]>
