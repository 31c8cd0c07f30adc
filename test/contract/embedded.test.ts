// The broker contract on the embedded broker.

import { Effect } from "effect"
import { Embedded } from "../../src/broker/embedded/embedded.ts"
import { contract, type Rig } from "./contract.ts"

const makeRig = async (): Promise<Rig> => {
  const broker = await Effect.runPromise(Embedded.make())
  return {
    broker: broker.layer,
    cut: () => broker.faults.cut(),
    alarm: {
      raise: async () => broker.faults.block("low on memory"),
      lift: async () => broker.faults.unblock(),
    },
    close: async () => {},
  }
}

contract("the embedded broker", makeRig, { alarm: true })
