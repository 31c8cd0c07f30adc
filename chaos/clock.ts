// One clock for all processes of a trial: what happened first is asked across processes, so none may use its own.

/** ms since a moment that is the same for every process on this machine. Never set back. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
