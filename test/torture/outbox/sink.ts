/**
 * What receives the messages, and judges what it has received.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as OutboxMessage from "../../../src/domain/OutboxMessage.ts"
import * as session from "../session.ts"

/** A number of a producer; its key is what it is in order with. */
export class Sent extends OutboxMessage.Class<Sent>()(
  "TortureSent",
  { n: Schema.Int, key: Schema.optionalKey(Schema.String) },
  { key: ({ key }) => key }
) {}

/** How long a worker that says nothing keeps what it has, in milliseconds. */
export const lease = 600

export const workerName = "torture-relay"

/** Every so many messages one is poison: it cannot be delivered until that is repaired. */
export const poisonous = (n: number): boolean => n % 60 === 0

export const prepare = (own: session.Session) =>
  Effect.gen(function* () {
    yield* own.query("create table received (at bigserial primary key, id text not null, key text, n int not null)")
    yield* own.query("create table sent (id text primary key, key text, n int not null)")
    yield* own.query("create table poison (repaired boolean not null)")
    yield* own.query("insert into poison values (false)")
  })

export interface Received {
  readonly id: string
  readonly key: string | undefined
  readonly n: number
}

/** What is wrong with what was received, in the order of receiving, when this was sent. */
export const judge = (sent: ReadonlyArray<Received>, received: ReadonlyArray<Received>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const known = new Set(sent.map(({ id }) => id))
  const seen = new Set<string>()
  const lastOf = new Map<string, number>()
  for (const { id, key, n } of received) {
    if (!known.has(id)) problems.push(`${id} was received, and its transaction was rolled back`)
    if (seen.has(id)) continue
    seen.add(id)
    if (key === undefined) continue
    const last = lastOf.get(key) ?? 0
    if (n < last) problems.push(`${n} of ${key} was received after ${last}`)
    lastOf.set(key, n)
  }
  for (const { id, key, n } of sent) {
    if (!seen.has(id)) problems.push(`${n} of ${key ?? "no key"} (${id}) was never received`)
  }
  return problems
}

const toReceived = (row: Readonly<Record<string, unknown>>): Received => ({
  id: String(row["id"]),
  key: typeof row["key"] === "string" ? row["key"] : undefined,
  n: Number(row["n"])
})

/** All that was committed to be sent, and all that was received, in order. */
export const records = (own: session.Session) =>
  Effect.gen(function* () {
    const sent = yield* session.rows(own, "select id, key, n from sent")
    const received = yield* session.rows(own, "select id, key, n from received order by at")
    return { sent: sent.map(toReceived), received: received.map(toReceived) }
  })
