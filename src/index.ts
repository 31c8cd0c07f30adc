// Warren for programs that use promises.

export { BadActor } from "./actor/declaration.ts"
export {
  type ActorDef,
  type ActorOptions,
  actor,
  type CellInfo,
  type Hooks,
} from "./actor/definition.ts"
export { CellCrashed } from "./actor/incarnation.ts"
export { type EventsOf, type MachineOptions, machine, type Reply } from "./actor/machine.ts"
export type { Self, Timers } from "./actor/self.ts"
export { ConfirmTimedOut, LinkLost, Nacked, NotFound, Oversized, Refused, Unroutable } from "./broker/errors.ts"
export { NobodyServes, RegistryClosed } from "./presence/errors.ts"
export type { Change, Filter, Health, Listed, ListedNode } from "./presence/listed.ts"
export type { FindOptions, Registry } from "./presence/registry.ts"
export type { CallOptions, Outcome, Ref } from "./protocol/client.ts"
export * from "./protocol/errors.ts"
export type { Handlers, MessageContext } from "./protocol/handlers.ts"
// The types behind `protocol(...)`: declarations of programs that export a protocol name them.
export {
  type Action,
  type Ask,
  action,
  ask,
  type Event,
  event,
  type Messages,
  type Tell,
  tell,
} from "./protocol/message.ts"
export { type AnyProtocol, type Protocol, protocol } from "./protocol/protocol.ts"
export { type Slot, type StreamOf, stream, type } from "./protocol/slot.ts"
export { Ended, GaveUp, SpecError, StartFailed } from "./supervision/errors.ts"
export { ChildSpec, SupervisorSpec } from "./supervision/spec.ts"
export { render, type View } from "./supervision/tree.ts"
export type { BrokerChoice } from "./system/brokers.ts"
export { BadOptions, BrokerUnreachable } from "./system/running.ts"
export { ActorSystem, type SystemOptions } from "./system/system.ts"
export { child, supervisor, type Tree } from "./system/tree.ts"
export type { Handling, MemberReport, Role } from "./wire/beat.ts"
