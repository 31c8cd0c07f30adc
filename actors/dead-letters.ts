// The dead letters as an actor: what could not be handled is listed, sent again, or thrown away.
//
// D3. A request has a link of its own: whatever ends it, what it holds goes back to the queue.
// D4. What cannot be read is listed with what is wrong with it, and can only be discarded.
// (D1 and D2 are kept in dead-letters/letters.ts.)

import { Effect } from "effect"
import { actor, Broker, type BrokerError, type Link, names } from "warren/effect"
import { browse, chosen, type Found, fits, isReadable, listed, sendAgain } from "./dead-letters/letters.ts"
import { DeadLetters, DeadLettersOutOfReach, type Letter } from "./dead-letters/protocol.ts"

export { DeadLetters, DeadLettersOutOfReach } from "./dead-letters/protocol.ts"

export interface DeadLettersOptions {
  /** The prefix of the system whose dead letters they are. Default `warren`. */
  readonly prefix?: string
  /** How often a letter is sent again unless it is forced. Default 3. */
  readonly maxReplays?: number
  /** How many letters one request looks at, from the oldest on. Default 10,000. */
  readonly window?: number
}

/** Bytes of one listing, about: a reply has to fit a message. */
const listBytes = 1024 * 1024
const publishesAtOnce = 64

/** The dead letters of a prefix, as an actor. The services it needs, a system has anyway. */
export const deadLettersOf = (options: DeadLettersOptions = {}) =>
  actor(
    DeadLetters,
    Effect.fnUntraced(function* () {
      const broker = yield* Broker
      const { maxReplays = 3, window = 10_000 } = options
      const queue = names(options.prefix).deadLetters

      /** D3. */
      const onLink = <A>(use: (link: Link) => Effect.Effect<A, BrokerError>) =>
        Effect.scoped(Effect.flatMap(broker.connect, use)).pipe(
          Effect.mapError(({ message }) => new DeadLettersOutOfReach({ why: message })),
        )
      const onLetters = <A>(use: (found: ReadonlyArray<Found>, link: Link) => Effect.Effect<A, BrokerError>) =>
        onLink((link) => Effect.scoped(Effect.flatMap(browse(link, queue, window), (found) => use(found, link))))

      return DeadLetters.of({
        list: ({ filter = {}, limit = 100 }) =>
          onLetters((found, link) =>
            Effect.map(link.inspectQueue(queue), ({ messages }) => {
              const letters: Array<Letter> = []
              let bytes = 0
              let more = messages > 0
              for (const each of found) {
                if (!fits(each, filter)) continue
                if (letters.length >= limit || bytes >= listBytes) {
                  more = true
                  break
                }
                const letter = listed(each)
                letters.push(letter)
                bytes += JSON.stringify(letter).length
              }
              return { letters, more }
            }),
          ),

        replay: (choice) =>
          onLetters((found, link) =>
            Effect.gen(function* () {
              const all = chosen(found, choice)
              const worn = ({ letter }: Found) => isReadable(letter) && letter.replays >= maxReplays
              const wanted = choice.force === true ? all : all.filter((each) => !worn(each))
              const going = wanted.slice(0, choice.max)
              const problems = yield* Effect.forEach(going, (each) => sendAgain(link, each), {
                concurrency: publishesAtOnce,
              })
              const failed = going.flatMap(({ id }, index) => {
                const why = problems[index]
                return why === undefined ? [] : [{ id, why }]
              })
              const there = new Set(all.map(({ id }) => id))
              const missing = ("ids" in choice ? choice.ids : [])
                .filter((id) => !there.has(id))
                .map((id) => ({ id, why: "there is no such dead letter, or somebody else has it in hand" }))
              return {
                replayed: going.length - failed.length,
                skipped: all.length - wanted.length,
                failed: [...failed, ...missing],
              }
            }),
          ),

        discard: (choice) =>
          onLetters((found) =>
            Effect.sync(() => {
              const going = chosen(found, choice).slice(0, choice.max)
              for (const { delivery } of going) delivery.ack()
              return going.length
            }),
          ),

        count: () => onLink((link) => Effect.map(link.inspectQueue(queue), ({ messages }) => messages)),
      })
    }),
    { concurrency: 1, mailbox: "transient" },
  )

/** Those of the prefix `warren`. */
export const deadLetters = deadLettersOf()
