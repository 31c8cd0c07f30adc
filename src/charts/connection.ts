// The chart of a connection: in which phase it is, and whether asks may be sent. Pure: Effect does what takes time.

import { assign, setup } from "xstate"

export const connectionChart = setup({
  types: {
    context: {} as { readonly links: number; readonly why: string | undefined },
    events: {} as
      | { readonly type: "open" }
      | { readonly type: "opened" }
      | { readonly type: "lost"; readonly why: string }
      | { readonly type: "refused"; readonly why: string }
      | { readonly type: "blocked"; readonly why: string }
      | { readonly type: "unblocked" }
      | { readonly type: "close" },
    tags: {} as "up" | "flowing",
  },
  actions: {
    count: assign({ links: ({ context }) => context.links + 1, why: undefined }),
    remember: assign({ why: ({ event, context }) => ("why" in event ? event.why : context.why) }),
    forget: assign({ why: undefined }),
  },
}).createMachine({
  id: "connection",
  initial: "waiting",
  context: { links: 0, why: undefined },
  on: {
    close: ".closed",
    refused: { target: ".failed", actions: "remember" },
  },
  states: {
    waiting: { on: { open: "opening" } },
    opening: {
      on: { opened: { target: "up", actions: "count" }, lost: { target: "waiting", actions: "remember" } },
    },
    up: {
      tags: "up",
      initial: "flowing",
      on: { lost: { target: "waiting", actions: "remember" } },
      states: {
        flowing: { tags: "flowing", on: { blocked: { target: "blocked", actions: "remember" } } },
        blocked: {
          on: { unblocked: { target: "flowing", actions: "forget" }, blocked: { actions: "remember" } },
        },
      },
    },
    failed: { type: "final" },
    closed: { type: "final" },
  },
})
