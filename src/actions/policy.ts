// What becomes of a goal that comes while others of its action run: pure decisions.

export interface Policy {
  /** Goals of one action that run at once in one member. */
  readonly atMost: number
  /** While so many run: `queue`: it waits for its turn. `reject`. `preempt`: the oldest makes room for it. */
  readonly policy: "queue" | "reject" | "preempt"
  /** Goals that may wait, with `queue`. */
  readonly waiting: number
}

/** The goals of one action in one member. */
export interface Load {
  readonly running: number
  /** Of the running ones, those that were not asked to stop yet. */
  readonly staying: number
  readonly waiting: number
}

export type Admission =
  | { readonly do: "run" }
  | { readonly do: "wait" }
  | { readonly do: "reject"; readonly why: string }
  /** One that runs is asked to stop, or one that waits gives up its place. */
  | { readonly do: "replace"; readonly victim: "running" | "waiting" }

/** Nobody overtakes one that waits. */
export const admit = ({ atMost, policy, waiting: places }: Policy, load: Load): Admission => {
  if (load.running < atMost && load.waiting === 0) return { do: "run" }
  switch (policy) {
    case "queue":
      if (load.waiting < places) return { do: "wait" }
      return { do: "reject", why: `${load.running} goals run and ${load.waiting} wait: no more are taken` }
    case "reject":
      return { do: "reject", why: `${load.running} goals run: no more are taken` }
    case "preempt":
      // Whoever was asked to stop makes room for one that waits; only as many wait as are to run.
      if (load.waiting >= atMost) return { do: "replace", victim: "waiting" }
      return load.staying > 0 ? { do: "replace", victim: "running" } : { do: "wait" }
  }
}
