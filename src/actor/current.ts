// The job on whose behalf code runs: it gives nested calls their deadline and chain, and makes the ack wait for them.
//
// Promise code finds it by AsyncLocalStorage. An Effect fiber is resumed by a scheduler that is shared by all, so there
// it is a reference in the fiber's own context.

import { AsyncLocalStorage } from "node:async_hooks"
import { Context, type Fiber } from "effect"
import type { Job } from "../messaging/job.ts"

const storage = new AsyncLocalStorage<Job | undefined>()

/** Runs a handler of a job. */
export const runAs = <A>(job: Job, handler: () => A): A => storage.run(job, handler)

/** Runs what lives longer than the job that brings it: what it does is done on nobody's behalf. */
export const runApart = <A>(handler: () => A): A => storage.run(undefined, handler)

/** Code may outlive its job; what it does then is done on nobody's behalf. */
const whileRunning = (job: Job | undefined): Job | undefined => (job?.running ? job : undefined)

/** The job of promise code, while it is running. */
export const currentJob = (): Job | undefined => whileRunning(storage.getStore())

/** The job of Effect code. */
export const CurrentJob = Context.Reference<Job | undefined>("warren/CurrentJob", { defaultValue: () => undefined })

/** The job of a fiber, while it is running. */
export const jobOf = (fiber: Fiber.Fiber<unknown, unknown>): Job | undefined => whileRunning(fiber.getRef(CurrentJob))
