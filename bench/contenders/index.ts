// Who takes part, by the id that the command line and the JSON use. Only what a worker asks for is loaded.

import type { Contender } from "../contender.ts"

type Load = () => Promise<Contender>

const only = ({ contenders }: { readonly contenders: readonly Contender[] }): Contender => contenders[0]!

const loads: Readonly<Record<string, Load>> = {
  warren: async () => (await import("./warren.ts")).plain,
  "warren-compact": async () => (await import("./warren.ts")).compact,
  "warren-plain-events": async () => (await import("./warren.ts")).plainEvents,
  "warren-own": async () => (await import("./warren.ts")).ownQueues,
  "warren-promise": async () => (await import("./warren.ts")).promises,
  "warren-effect": async () => (await import("./warren.ts")).effects,
  "warren-machine": async () => (await import("./warren.ts")).machines,
  "rabbitmq-client": async () => (await import("./rabbitmq-client.ts")).tunedClient,
  "rabbitmq-client-defaults": async () => (await import("./rabbitmq-client.ts")).defaultClient,
  amqplib: async () => only(await import("./amqplib.ts")),
  nestjs: async () => only(await import("./nestjs.ts")),
  moleculer: async () => only(await import("./moleculer.ts")),
}

export const loadContender = (id: string): Promise<Contender> => {
  const load = loads[id]
  if (load === undefined) throw new Error(`no contender ${id}: want one of ${Object.keys(loads).join(", ")}`)
  return load()
}
