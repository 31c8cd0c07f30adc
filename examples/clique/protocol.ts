// What the oracle understands: it answers with who it is.

import { Schema } from "effect"
import { ask, protocol } from "warren"

export const Oracle = protocol("oracle", "1.0.0", {
  ask: ask({
    reply: Schema.Struct({ name: Schema.String, epoch: Schema.Number, answered: Schema.Number }),
  }),
})
