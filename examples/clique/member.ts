// One member of the clique, in a process of its own: it stands by until it leads, and answers while it does.

import { ActorSystem, actor, child, supervisor } from "warren"
import { Oracle } from "./protocol.ts"

/** What the parent gives it. */
export interface Settings {
  readonly broker: string
  readonly domain: string
  readonly name: string
}

const { broker, domain, name }: Settings = JSON.parse(process.argv[2] ?? "{}")

const oracle = actor(
  Oracle,
  (self) => {
    let answered = 0
    self.onLead((epoch) => console.log(`${name} leads, epoch ${epoch}`))
    return { ask: () => ({ name, epoch: self.epoch, answered: ++answered }) }
  },
  { clique: "single" },
)

await ActorSystem.start({ domain, broker, tree: supervisor("main", {}, [child(oracle, { id: "delphi" })]) })
process.send?.("up")
