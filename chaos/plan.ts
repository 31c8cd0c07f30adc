// What a command line asks for: which cases, how long, by which chance. Pure.

import { parseArgs } from "node:util"
import { type Case, type Scale, scaleOf } from "./case.ts"

export interface Plan {
  readonly cases: readonly Case[]
  readonly scale: Scale
  readonly seed: number
  /** File for everything that was found. */
  readonly json: string | undefined
  /** Of RabbitMQ, such as `4.0` or `newest`. */
  readonly version: string | undefined
}

/** Minutes that `--quick` asks for. The least of all cases together takes somewhat longer. */
const quickly = 2

const wholeNumber = (option: string, text: string, most: number): number => {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > most)
    throw new Error(`--${option} ${text}: want a whole number from 0 to ${most}`)
  return number
}

/** How many times the full length fits; 1 is the full length, and the most. */
const shareOf = (minutes: string | undefined, quick: boolean, cases: readonly Case[]): number => {
  if (minutes === undefined && !quick) return 1
  const wanted = minutes === undefined ? quickly : Number(minutes)
  if (!(wanted > 0)) throw new Error(`--minutes ${minutes}: want a number above 0`)
  return Math.min(1, wanted / cases.reduce((sum, each) => sum + each.minutes, 0))
}

/** @param chance a seed for when none is given. Throws when the arguments cannot be meant. */
export const planOf = (args: readonly string[], all: readonly Case[], chance: () => number): Plan => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      quick: { type: "boolean", default: false },
      seed: { type: "string" },
      only: { type: "string" },
      json: { type: "string" },
      version: { type: "string" },
    },
  })
  const names = values.only?.split(",").map((name) => name.trim())
  const unknown = names?.find((name) => !all.some((each) => each.name === name))
  if (unknown !== undefined)
    throw new Error(`no case ${JSON.stringify(unknown)}: want one of ${all.map(({ name }) => name).join(", ")}`)
  const cases = all.filter(({ name }) => names?.includes(name) ?? true)
  return {
    cases,
    scale: scaleOf(shareOf(values.minutes, values.quick, cases)),
    seed: values.seed === undefined ? chance() : wholeNumber("seed", values.seed, 2 ** 32 - 1),
    json: values.json,
    version: values.version,
  }
}
