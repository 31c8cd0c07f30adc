// A supervision tree as data: actors and supervisors, before they run.

import type { ActorDef } from "../actor/definition.ts"
import { member } from "../actor/member.ts"
import type { Surroundings } from "../actor/surroundings.ts"
import type { AnyProtocol } from "../protocol/protocol.ts"
import type { Child } from "../supervision/child.ts"
import { asChild } from "../supervision/nested.ts"
import type { ChildSpec, SupervisorSpec } from "../supervision/spec.ts"
import { localName } from "../wire/address.ts"

/** A part of a supervision tree. `R`: the Effect services that its actors need. */
export interface Tree<out R> {
  readonly id: string
  /** The part as a child of the supervisor above it. */
  readonly toChild: (surroundings: Surroundings) => Child<R>
}

/** An actor in the tree; `policy.id` is also the id in its address. */
export const child = <P extends AnyProtocol, R>(def: ActorDef<P, R>, policy: ChildSpec): Tree<R> => ({
  id: policy.id,
  toChild: (surroundings) => member(surroundings, def, policy),
})

/** Distributive, so that no children need nothing. */
type NeedsOf<Part> = Part extends Tree<infer R> ? R : never

/** A supervisor in the tree, with its children in the order in which they start. */
export const supervisor = <const C extends ReadonlyArray<Tree<unknown>>>(
  id: string,
  spec: SupervisorSpec,
  children: C,
): Tree<NeedsOf<C[number]>> => ({
  id,
  toChild: (surroundings) =>
    asChild(
      id,
      spec,
      children.map((each) => each.toChild(surroundings) as Child<NeedsOf<C[number]>>),
    ),
})

/**
 * An actor that stands alone, with a supervisor of its own: when it crashes too often it rests for a while, and nobody
 * else with it. Mail that cannot be handled must not bring down the rest of a node.
 */
export const standalone = <P extends AnyProtocol, R>(def: ActorDef<P, R>, policy: ChildSpec): Tree<R> => {
  const id = localName(def.protocol, policy.id)
  return { id, toChild: supervisor(id, { whenExhausted: { retryAfter: "30 seconds" } }, [child(def, policy)]).toChild }
}
