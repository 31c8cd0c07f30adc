// Every case, in the order in which they run and are shown.

import type { Case } from "../plan.ts"
import { actors } from "./actors.ts"
import { ask1k, ask32 } from "./asks.ts"
import { broadcast } from "./broadcast.ts"
import { handlers } from "./handlers.ts"
import { open } from "./open.ts"
import { spread } from "./spread.ts"
import { start } from "./start.ts"
import { stream } from "./stream.ts"
import { tell } from "./tell.ts"
import { work } from "./work.ts"

export const cases: readonly Case[] = [
  ask32,
  ask1k,
  work,
  actors,
  open,
  tell,
  broadcast,
  stream,
  handlers,
  start,
  spread,
]
