// For the tests of programs that use Warren: a broker in the process, with faults to inject.

export {
  Embedded,
  EmbeddedBroker,
  type EmbeddedOptions,
  type Faults,
  type QueueView,
} from "./broker/embedded/embedded.ts"
