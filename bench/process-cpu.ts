// What another process has used of the processor, and which process listens on a port. Both from /proc: Linux only.

import { readdir, readFile, readlink } from "node:fs/promises"

/** Linux counts the time of a process in hundredths of a second, whatever the kernel's own tick is. */
const ticksPerSecond = 100

/** User and system time in seconds, of a line of /proc/PID/stat. */
export const cpuOf = (stat: string): number => {
  // The name of the program stands in parentheses and may hold anything, so fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** CPU-seconds of a process since it started; undefined when there is none or no /proc. */
export const cpuSeconds = async (pid: number): Promise<number | undefined> =>
  readFile(`/proc/${pid}/stat`, "utf8").then(cpuOf, () => undefined)

/** The inodes of the sockets that listen on a port, in the text of /proc/net/tcp or tcp6. */
export const listeningInodes = (table: string, port: number): string[] =>
  table.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [, local = "", , state] = fields
    const listens = state === "0A" && Number.parseInt(local.split(":").at(-1) ?? "", 16) === port
    return listens && fields[9] !== undefined ? [fields[9]] : []
  })

/** The process on this machine that listens on a port; undefined when it cannot be told. */
export const listenerOn = async (port: number): Promise<number | undefined> => {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")))
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return undefined
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const file of files) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => "")
      if (sockets.has(target)) return Number(pid)
    }
  }
  return undefined
}
