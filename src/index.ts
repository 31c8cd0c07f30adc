// Warren for programs that use promises.

export type { ActionOptions } from "./actor/action-options.ts"
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
export type { Reminder } from "./actor/reminding.ts"
export type { EmitOptions, EventHandler, Self, Timers } from "./actor/self.ts"
export {
  ConfirmTimedOut,
  Inaccessible,
  LinkLost,
  Nacked,
  NotFound,
  Oversized,
  Refused,
  Unroutable,
} from "./broker/errors.ts"
export { type GoalEvent, goalChart } from "./charts/goal.ts"
export { NobodyServes, RegistryClosed } from "./presence/errors.ts"
export type { Change, Filter, Health, Listed, ListedNode } from "./presence/listed.ts"
export type { FindOptions, Registry } from "./presence/registry.ts"
export { Batch, type BatchOptions, batch } from "./protocol/batch.ts"
export type { CallOptions, Outcome, Ref } from "./protocol/client.ts"
export * from "./protocol/errors.ts"
export type { GoalHandle, GoalOptions, GoalOutcome, GoalStatus, ListedGoal } from "./protocol/goal.ts"
export type { Goal, Handlers, IncomingStream, MessageContext, Reminded } from "./protocol/handlers.ts"
// The types behind `protocol(...)`: declarations of programs that export a protocol name them.
export {
  type Action,
  type Ask,
  action,
  ask,
  type Event,
  type EventOptions,
  event,
  type Messages,
  type Retain,
  type Tell,
  tell,
} from "./protocol/message.ts"
export { type AnyProtocol, type Protocol, protocol } from "./protocol/protocol.ts"
export { events, type Source, type Sources } from "./protocol/selection.ts"
export { type Slot, type StreamOf, stream, type } from "./protocol/slot.ts"
export type {
  EventMessage,
  OpenSubscription,
  SubscribeOptions,
  Subscription,
  Subscriptions,
} from "./protocol/subscription.ts"
export { ReminderRefused, ReminderUnanswered } from "./reminders/errors.ts"
export type { ListedReminder } from "./reminders/requests.ts"
export { Ended, GaveUp, SpecError, StartFailed } from "./supervision/errors.ts"
export { ChildSpec, SupervisorSpec } from "./supervision/spec.ts"
export { render, type View } from "./supervision/tree.ts"
export type { BrokerChoice } from "./system/brokers.ts"
export { BadOptions, BrokerUnreachable } from "./system/running.ts"
export { ActorSystem, type SystemOptions } from "./system/system.ts"
export { child, supervisor, type Tree } from "./system/tree.ts"
export type { Handling, MemberReport, Role } from "./wire/beat.ts"
