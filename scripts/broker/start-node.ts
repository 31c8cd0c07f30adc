// Starts a broker node from any source.

import type { BrokerNode, NodeOptions } from "./broker-node.ts"
import { startComposeNode } from "./compose-node.ts"
import { startErlangNode } from "./erlang-node.ts"
import type { Source } from "./source.ts"

/** A broker that we were only told about cannot be killed, paused or configured. */
export class NotOurs extends Error {
  override readonly name = "NotOurs"
}

/** Starts a node of its own from a source. Whatever ends this process also ends the node. */
export const startNode = async (source: Source, options: NodeOptions = {}): Promise<BrokerNode> => {
  switch (source.kind) {
    case "installed":
    case "debian":
      return startErlangNode(source, options)
    case "docker":
      return startComposeNode(source, options)
    case "given":
      return givenNode(source.url, source.version)
  }
}

const givenNode = (url: string, version: string): BrokerNode => {
  const refuse = () =>
    Promise.reject(new NotOurs("AMQP_URL names a broker that somebody else runs: unset it to let Warren start its own"))
  return {
    url,
    port: Number(new URL(url).port) || (url.startsWith("amqps:") ? 5671 : 5672),
    version,
    kill9: refuse,
    start: refuse,
    stop: refuse,
    pause: refuse,
    resume: refuse,
    ctl: refuse,
    blockByMemory: refuse,
    unblock: refuse,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
