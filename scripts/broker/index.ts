// Brokers for tests and for development: find one, start nodes of your own, hurt them.

export type { BrokerNode, NodeOptions } from "./broker-node.ts"
export { type BrokerCluster, type ClusterOptions, startCluster } from "./cluster.ts"
export { type FindOptions, findBroker, NoBroker } from "./find.ts"
export { type Network, openNetwork } from "./network.ts"
export { type BrokerOfThisRun, brokerOfThisRun } from "./of-this-run.ts"
export { controllable, describe, type Source } from "./source.ts"
export { NotOurs, startNode } from "./start-node.ts"
