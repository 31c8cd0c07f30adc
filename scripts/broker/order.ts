// Decides in which order the ways to a broker are tried, from what was found on the machine. Pure: no file, no process.
//
// 1. AMQP_URL, then an installed RabbitMQ, then Docker, then Debian's packages.
// 2. Who asks for a version gets that version or nothing: AMQP_URL is skipped, for it promises none.
// 3. What is unpacked already comes before what must be downloaded.

import { type Debian, type Given, type Installed, inSeries, type Source, type Wanted } from "./source.ts"

/** What is on this machine. */
export interface Evidence {
  readonly given: Given | undefined
  readonly installed: readonly Installed[]
  /** A Docker engine with the compose plugin answers. */
  readonly docker: boolean
  readonly unpacked: readonly Debian[]
  /** The Debian suites that this machine's apt sources can reach, oldest first; none without apt. */
  readonly suites: readonly string[]
}

export type Step = { readonly use: Source; readonly unpack?: never } | { readonly unpack: string; readonly use?: never }

export interface Wish {
  readonly version?: Wanted | undefined
  /** Only this kind of source. */
  readonly from?: Source["kind"] | undefined
}

/** Which Debian release carries which series; testing and unstable carry the newest. */
const released = new Map([
  ["3.10", "bookworm"],
  ["4.0", "trixie"],
])
const rolling = ["forky", "sid"]

/** The suites worth a look for a version, best first. */
export const suitesFor = (version: Wanted | undefined, suites: readonly string[]): readonly string[] => {
  const preferred = (): readonly string[] => {
    if (version === "newest") return rolling
    if (version === undefined) return ["trixie", "bookworm", ...suites]
    const [series] = [...released].find(([series]) => inSeries(version, series)) ?? []
    return series === undefined ? [...rolling, ...[...suites].reverse()] : [released.get(series)!]
  }
  return [...new Set(preferred())].filter((suite) => suites.includes(suite))
}

/** The steps to try, first one first. Empty: this machine offers no way. */
export const order = (evidence: Evidence, { version, from }: Wish): readonly Step[] => {
  const exact = version === "newest" ? undefined : version
  const fits = (source: Source) => exact === undefined || inSeries(source.version, exact)
  const steps: Step[] = []
  if (evidence.given && version === undefined) steps.push({ use: evidence.given })
  if (version !== "newest") for (const source of evidence.installed) if (fits(source)) steps.push({ use: source })
  if (evidence.docker) steps.push({ use: { kind: "docker", version: exact ?? "4" } })
  const suites = suitesFor(version, evidence.suites)
  for (const suite of suites)
    for (const source of evidence.unpacked) if (source.suite === suite && fits(source)) steps.push({ use: source })
  for (const suite of suites)
    if (!evidence.unpacked.some((source) => source.suite === suite)) steps.push({ unpack: suite })
  return from === undefined ? steps : steps.filter((step) => (step.use?.kind ?? "debian") === from)
}
