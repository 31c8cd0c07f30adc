// A latch: handlers wait at it, so that a test decides when they go on.

export interface Latch {
  readonly opened: Promise<void>
  readonly open: () => void
}

export const latch = (): Latch => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
