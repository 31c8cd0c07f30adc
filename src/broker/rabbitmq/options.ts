// What a user may say about RabbitMQ, and what it comes to: resolved once, so that nothing below reads an option twice.

import { isIP } from "node:net"
import type { ConnectionOptions as TlsOptions } from "node:tls"
import { defaultLimits } from "../limits.ts"

export interface RabbitMqOptions {
  /**
   * `amqp://user:password@host:port/vhost` or `amqps://…`; several for a cluster, tried in shuffled order. An empty path
   * means the vhost `/`. The parameters `heartbeat` (s) and `connection_timeout` (ms) are understood.
   */
  readonly url: string | ReadonlyArray<string>
  /** Options of node's `tls.connect`, for `amqps` URLs. */
  readonly tls?: TlsOptions
  /** Seconds, as in AMQP. A dead broker is noticed after about twice as long. Default 10. */
  readonly heartbeat?: number
  /**
   * ms that a publish may wait for its confirm; after that it fails with `ConfirmTimedOut`. Default 10 000. A replicated
   * queue confirms once a majority has the message: that takes ms in good times, about 9 s while a frozen leader is
   * being replaced, and up to the brokers' `net_ticktime` (60 s) in a partition. Raise it above that if a late confirm is
   * better than an uncertain one.
   */
  readonly confirmTimeout?: number
  /** ms for one broker to accept a connection, with login. Default 5000. */
  readonly connectTimeout?: number
  /** ms for one request (declare, bind, consume, …); after that the link counts as lost. Default 10 000. */
  readonly operationTimeout?: number
  /** ms in all for an orderly close; then the sockets are destroyed. Default 2000. */
  readonly closeTimeout?: number
  /** What the connections are called in the broker's list, before what each is for and the id of the link. Default `warren`. */
  readonly connectionName?: string
  /** Bytes of the largest body, as the broker's `max_message_size`. Default 16 MiB. */
  readonly maxMessageSize?: number
  /** From 0 up to 1, for the order in which hosts are tried. Default `Math.random`. */
  readonly random?: () => number
}

export interface Host {
  readonly hostname: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsOptions | undefined
  /** For people: without user and password. */
  readonly name: string
  /** Seconds. */
  readonly heartbeat: number
  /** ms. */
  readonly connectTimeout: number
}

export interface Settings {
  readonly hosts: ReadonlyArray<Host>
  readonly confirmTimeout: number
  readonly operationTimeout: number
  readonly closeTimeout: number
  readonly connectionName: string
  readonly maxMessageSize: number
  readonly random: () => number
}

/** Throws a `TypeError` on a URL or number that cannot be meant; it never shows a password. */
export const resolve = (given: string | RabbitMqOptions): Settings => {
  const options: RabbitMqOptions = typeof given === "string" ? { url: given } : given
  const urls = typeof options.url === "string" ? [options.url] : options.url
  if (urls.length === 0) throw new TypeError("RabbitMq: `url` names no broker")
  return {
    hosts: urls.map((url) => parseHost(url, options)),
    confirmTimeout: positive("confirmTimeout", options.confirmTimeout ?? 10_000),
    operationTimeout: positive("operationTimeout", options.operationTimeout ?? 10_000),
    closeTimeout: positive("closeTimeout", options.closeTimeout ?? 2000),
    connectionName: options.connectionName ?? "warren",
    maxMessageSize: positive("maxMessageSize", options.maxMessageSize ?? defaultLimits.maxMessageSize),
    random: options.random ?? Math.random,
  }
}

const parseHost = (text: string, options: RabbitMqOptions): Host => {
  if (!URL.canParse(text))
    throw new TypeError("RabbitMq: a url is not of the form amqp://user:password@host:port/vhost")
  const url = new URL(text)
  if (url.protocol !== "amqp:" && url.protocol !== "amqps:") {
    throw new TypeError(`RabbitMq: a url starts with amqp:// or amqps://, not ${url.protocol}//`)
  }
  const secure = url.protocol === "amqps:"
  // The client library cannot do with the brackets of an IPv6 address.
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost"
  const port = url.port === "" ? (secure ? 5671 : 5672) : Number(url.port)
  const vhost = decodeURIComponent(url.pathname.slice(1)) || "/"
  return {
    hostname,
    port,
    username: decodeURIComponent(url.username) || "guest",
    password: decodeURIComponent(url.password) || (url.username === "" ? "guest" : ""),
    vhost,
    tls: secure ? { ...(isIP(hostname) === 0 ? { servername: hostname } : {}), ...options.tls } : undefined,
    name: `${url.protocol}//${url.hostname || "localhost"}:${port}/${vhost === "/" ? "" : vhost}`,
    heartbeat: positive("heartbeat", options.heartbeat ?? parameter(url, "heartbeat") ?? 10),
    connectTimeout: positive("connectTimeout", options.connectTimeout ?? parameter(url, "connection_timeout") ?? 5000),
  }
}

const parameter = (url: URL, name: string): number | undefined => {
  const text = url.searchParams.get(name)
  return text === null ? undefined : Number(text)
}

const positive = (name: string, n: number): number => {
  if (Number.isFinite(n) && n > 0) return n
  throw new TypeError(`RabbitMq: ${name} must be a number above 0, not ${n}`)
}

/** Fisher-Yates, so that the nodes of a cluster share the load of a mass reconnect. */
export const shuffled = <A>(items: ReadonlyArray<A>, random: () => number): ReadonlyArray<A> => {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const moved = order[last]!
    order[last] = order[other]!
    order[other] = moved
  }
  return order
}
