// The folder where we keep what was unpacked: $WARREN_CACHE, or ~/.cache/warren. It may be deleted at any time.

import { homedir } from "node:os"
import { join, resolve } from "node:path"

export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  resolve(env.WARREN_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "warren"))
