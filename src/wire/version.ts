// Versions of protocols: `MAJOR.MINOR.PATCH`, no more of semver than that. The major one is part of a mailbox's name.

export interface Version {
  readonly major: number
  readonly minor: number
  readonly patch: number
}

/** No leading zeros; at most nine digits each, so that every part is an exact number. */
const pattern = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/

/** Undefined when it is not `MAJOR.MINOR.PATCH`. */
export const parse = (version: string): Version | undefined => {
  const found = pattern.exec(version)
  return found === null ? undefined : { major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3]) }
}

/** The major version, or undefined when it is not `MAJOR.MINOR.PATCH`. */
export const major = (version: string): number | undefined => parse(version)?.major
