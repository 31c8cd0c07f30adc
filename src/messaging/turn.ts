// A turn at the mailbox for something that is not mail, such as a timer's tick: it waits and runs like a message.

import { Linked } from "./ring.ts"

export class Turn extends Linked {
  readonly #run: () => Promise<void>
  readonly #wanted: () => boolean

  /**
   * @param run never rejects.
   * @param wanted asked when its turn has come.
   */
  constructor(run: () => Promise<void>, wanted: () => boolean) {
    super()
    this.#run = run
    this.#wanted = wanted
  }

  async take(): Promise<void> {
    if (this.#wanted()) await this.#run()
  }
}
