// One AMQP connection with one life: dialled once, never re-dialled. A thin coat around the library's Connection that
// keeps it from reconnecting, bounds its promises, and says once that it is over.
//
// C1. On the first error the library's connection is destroyed, before its own retry can begin.
// C2. `onLost` is called at most once, never after `close` or `destroy`, and after the channels have been closed.

import { type Channel, Connection as LibraryConnection } from "rabbitmq-client"
import type { Capabilities } from "../broker.ts"
import { within } from "./deadline.ts"
import {
  adoptFrameMax,
  coalesceWrites,
  type PublishOn,
  publishOn,
  readAtOnce,
  takeMessages,
  watchServer,
} from "./internals.ts"
import type { Host } from "./options.ts"
import { said } from "./refusal.ts"

/** The default of the server as well; asking for more would truncate messages. */
const frameMax = 131_072

export interface ConnectionListener {
  readonly lost: (why: string) => void
  readonly blocked: (why: string | undefined) => void
}

export class Connection {
  readonly capabilities: Capabilities
  /** Bytes, negotiated. */
  readonly frameMax: number
  readonly #library: LibraryConnection
  readonly #operationTimeout: number
  #blocked: string | undefined
  #over = false

  private constructor(library: LibraryConnection, capabilities: Capabilities, operationTimeout: number) {
    this.#library = library
    this.capabilities = capabilities
    this.frameMax = adoptFrameMax(library)
    coalesceWrites(library)
    readAtOnce(library)
    this.#operationTimeout = operationTimeout
  }

  /** Rejects with what the library, the socket or the broker said. */
  static async dial(
    host: Host,
    options: { readonly name: string; readonly operationTimeout: number; readonly signal: AbortSignal },
    listener: ConnectionListener,
  ): Promise<Connection> {
    options.signal.throwIfAborted()
    const library = new LibraryConnection({
      hostname: host.hostname,
      port: host.port,
      username: host.username,
      password: host.password,
      vhost: host.vhost,
      connectionName: options.name,
      noDelay: true,
      frameMax,
      heartbeat: host.heartbeat,
      connectionTimeout: host.connectTimeout,
      acquireTimeout: host.connectTimeout,
      ...(host.tls === undefined ? {} : { tls: host.tls }),
    })
    let capabilities: Capabilities = { product: "unknown", version: "unknown" }
    let connection: Connection | undefined
    let abort = () => {}
    const opened = new Promise<Connection>((resolve, reject) => {
      library.once("connection", () => {
        connection = new Connection(library, capabilities, options.operationTimeout)
        resolve(connection)
      })
      library.on("error", (error: unknown) => {
        library.unsafeDestroy() // C1
        if (connection === undefined) reject(error)
        else if (connection.#end()) listener.lost(said(error))
      })
      const block = (why: string | undefined) => {
        if (connection !== undefined) connection.#block(why, listener)
      }
      library.on("connection.blocked", (why: string) => block(why || "resource alarm"))
      library.on("connection.unblocked", () => block(undefined))
      abort = () => reject(options.signal.reason)
      options.signal.addEventListener("abort", abort)
    })
    try {
      watchServer(library, (server) => {
        capabilities = server
      })
      return await within(host.connectTimeout, `connect to ${host.name}`, opened)
    } catch (error) {
      opened.catch(() => {})
      library.unsafeDestroy()
      throw error
    } finally {
      options.signal.removeEventListener("abort", abort)
    }
  }

  /** Why the broker reads nothing from this connection now, or undefined. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  get over(): boolean {
    return this.#over
  }

  /** Opens a channel whose errors stay its own, and whose bodies are raw. `died` is called once, with what was said. */
  async channel(died: (error: unknown) => void): Promise<Channel> {
    const channel = await this.bounded("open a channel", this.#library.acquire({ emitErrorsFromChannel: true }))
    takeMessages(channel)
    let error: unknown
    channel.on("error", (first: unknown) => {
      error ??= first
    })
    channel.on("close", () => died(error))
    return channel
  }

  /** Puts a channel of this connection into confirm mode, and says how to publish there. */
  async confirming(channel: Channel): Promise<PublishOn> {
    await this.bounded("confirm.select", channel.confirmSelect())
    return publishOn(channel)
  }

  /** Rejects with `TimedOut` after the operation timeout; time spent blocked does not count. */
  bounded<A>(what: string, promise: Promise<A>): Promise<A> {
    return within(this.#operationTimeout, what, promise, () => this.#blocked !== undefined && !this.#over)
  }

  /** Orderly, within `ms`, and destroyed in any case. What is still buffered for writing goes first. */
  async close(ms: number, channels: Iterable<Channel>): Promise<void> {
    this.#end()
    try {
      // A blocked connection can neither flush nor close.
      if (this.#blocked === undefined) {
        const closing = Promise.all(Array.from(channels, (channel) => channel.close())).then(() =>
          this.#library.close(),
        )
        await within(ms, "close", closing)
      }
    } catch {
      // Destroying is what is left to do.
    } finally {
      this.#library.unsafeDestroy()
    }
  }

  destroy(): void {
    this.#end()
    this.#library.unsafeDestroy()
  }

  #block(why: string | undefined, listener: ConnectionListener): void {
    this.#blocked = why
    if (!this.#over) listener.blocked(why)
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#over) return false
    this.#over = true
    return true
  }
}
