// All cases, in the order in which they run.

import type { Case } from "../case.ts"
import { cluster } from "./cluster.ts"
import { failover } from "./failover.ts"
import { frozen } from "./frozen.ts"
import { leaderships } from "./leaderships.ts"
import { order } from "./order.ts"
import { registry } from "./registry.ts"
import { restart } from "./restart.ts"
import { rolling } from "./rolling.ts"
import { token } from "./token.ts"

export const cases: readonly Case[] = [failover, order, rolling, frozen, token, leaderships, registry, cluster, restart]
