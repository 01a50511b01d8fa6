/** An inbox on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Position from "../../domain/Position.ts"
import type { Driver } from "../InboxDriver.ts"
import { type Journal, JournalMap } from "./Journal.ts"

export const makeMemory = (journal: Journal): Driver => {
  const positions = new JournalMap<string, Position.Position>()
  /** When each id was taken. */
  const taken = new JournalMap<string, number>()
  return {
    advance: (consumer, source, segment, position) =>
      journal.write((transaction) => {
        const key = `${consumer}\0${source}\0${segment}`
        const isFurther = position > (positions.get(transaction, key) ?? Position.start)
        if (isFurther) positions.set(transaction, key, position)
        return Exit.succeed(isFurther)
      }),
    take: (tenant, consumer, id) =>
      journal.write((transaction, fiber) => {
        const key = `${tenant}\0${consumer}\0${id}`
        const isNew = taken.get(transaction, key) === undefined
        if (isNew) taken.set(transaction, key, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
        return Exit.succeed(isNew)
      }),
    position: (consumer, source, segment) =>
      journal.read((transaction) => positions.get(transaction, `${consumer}\0${source}\0${segment}`) ?? Position.start),
    purge: (olderThan) =>
      journal.write((transaction, fiber) => {
        const before = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - Duration.toMillis(olderThan)
        for (const [key, at] of Array.from(taken.entries(transaction))) {
          if (at < before) taken.set(transaction, key, undefined)
        }
        return Exit.void
      })
  }
}
