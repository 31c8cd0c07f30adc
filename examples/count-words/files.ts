// The files of a run, checked before anything is started.

import { constants } from "node:fs"
import { access, stat } from "node:fs/promises"
import { resolve } from "node:path"

/** A file that cannot be counted; the message says why. */
export class Unusable extends Error {
  override readonly name = "Unusable"
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of the path is not a directory",
  EACCES: "it may not be read",
  EPERM: "it may not be read",
}

export const whyNot = (file: string, error: unknown): Unusable => {
  const { code, message } = error as NodeJS.ErrnoException
  return new Unusable(`${file}: ${reasons[code ?? ""] ?? message}`)
}

/** Size in bytes; 0 for what has none, such as a pipe. @throws Unusable */
const sizeOf = async (path: string, file: string): Promise<number> => {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new Unusable(`${file}: it is a directory; name the files in it`)
    await access(path, constants.R_OK)
    return found.isFile() ? found.size : 0
  } catch (error) {
    throw error instanceof Unusable ? error : whyNot(file, error)
  }
}

export interface Source {
  /** As it was named. */
  readonly file: string
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/** @param from the folder that relative names start from. @throws Unusable for the first that cannot be counted. */
export const findFiles = async (files: ReadonlyArray<string>, from: string): Promise<ReadonlyArray<Source>> => {
  const sources: Array<Source> = []
  for (const file of files) {
    const path = resolve(from, file)
    sources.push({ file, path, size: await sizeOf(path, file) })
  }
  return sources
}
