// A broker node that a program or a test holds in its hand: to talk to, and to hurt.

export interface BrokerNode extends AsyncDisposable {
  /** amqp://guest:guest@127.0.0.1:PORT */
  readonly url: string
  readonly port: number
  /** What the broker itself says, such as `4.0.5`. */
  readonly version: string
  /** Kills it as a power cut would (SIGKILL). Its data stay. */
  kill9(): Promise<void>
  /** Starts it again after `kill9` or `stop`: same port, same data. Resolves when it answers. */
  start(): Promise<void>
  /** Stops it cleanly. Its data stay until the process ends. */
  stop(): Promise<void>
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Runs rabbitmqctl with these arguments and gives its output. */
  ctl(args: readonly string[]): Promise<string>
  /** Raises the memory alarm: publishing connections are blocked. */
  blockByMemory(): Promise<void>
  unblock(): Promise<void>
  /** Stops it for good and deletes its data. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface NodeOptions {
  /** AMQP port on 127.0.0.1; a random free one by default. */
  readonly port?: number
  /** Folder for its data, kept afterwards; by default a private one that is deleted with the node. */
  readonly dir?: string
  /** More lines for rabbitmq.conf. */
  readonly config?: string
  /** Plugins that are on from the start, such as `rabbitmq_event_exchange`. */
  readonly plugins?: readonly string[]
}
