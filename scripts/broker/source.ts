// A source is where a RabbitMQ broker comes from: plain data, so that it can be compared, printed and handed to a child.

export type Source = Given | Installed | Compose | Debian

/** A broker somebody else runs, named by AMQP_URL. We use it and never manage it. */
export interface Given {
  readonly kind: "given"
  readonly version: string
  readonly url: string
}

/** A RabbitMQ installed on this machine: we run a node of our own from its programs. */
export interface Installed {
  readonly kind: "installed"
  readonly version: string
  /** The folder of rabbitmq-server and rabbitmqctl. */
  readonly sbin: string
  readonly epmd: string
}

/** The image of docker-compose.yml. */
export interface Compose {
  readonly kind: "docker"
  /** The image tag: a series such as `4` or `3.10`, not yet a full version. */
  readonly version: string
}

/** Debian's packages, unpacked into our cache folder. */
export interface Debian {
  readonly kind: "debian"
  readonly version: string
  readonly suite: string
  /** The folder that holds the unpacked tree. */
  readonly root: string
}

/** `newest`, or the beginning of a version: `4`, `4.3`, `3.10.8`. */
export type Wanted = string

/** True when a version is in the wanted series: 4.3.6 is in `4.3` and in `4`, 4.30 is not in `4.3`. */
export const inSeries = (version: string, wanted: Wanted): boolean => `${version}.`.startsWith(`${wanted}.`)

/** Can its nodes be killed, paused and asked with rabbitmqctl? Not when somebody else runs the broker. */
export const controllable = (source: Source): boolean => source.kind !== "given"

export const describe = (source: Source): string => {
  switch (source.kind) {
    case "given":
      return `RabbitMQ ${source.version} at AMQP_URL`
    case "installed":
      return `RabbitMQ ${source.version} installed in ${source.sbin}`
    case "docker":
      return `RabbitMQ ${source.version} in Docker`
    case "debian":
      return `RabbitMQ ${source.version}, Debian's ${source.suite} packages unpacked in ${source.root}`
  }
}
