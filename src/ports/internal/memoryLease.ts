/** Leases on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Acquired, Driver } from "../LeaseDriver.ts"
import { type Journal, JournalMap } from "./Journal.ts"

interface Row {
  readonly token: number
  readonly holder: string
  readonly until: number
}

export const makeMemory = (journal: Journal): Driver => {
  const rows = new JournalMap<string, Row>()
  const keyOf = (tenant: TenantId, name: string) => `${tenant}\0${name}`
  const change = (tenant: TenantId, name: string, token: number, millis: number) =>
    journal.write((transaction, fiber) => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const row = rows.get(transaction, keyOf(tenant, name))
      const has = row !== undefined && row.token === token && row.until > now
      if (has) rows.set(transaction, keyOf(tenant, name), { ...row, until: now + millis })
      return Exit.succeed(has)
    })
  return {
    acquire: (tenant, name, holder, millis) =>
      journal.write((transaction, fiber): Exit.Exit<Acquired> => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const row = rows.get(transaction, keyOf(tenant, name))
        if (row !== undefined && row.until > now) {
          return Exit.succeed({ _tag: "Held", holder: row.holder, token: row.token, remaining: row.until - now })
        }
        const token = (row?.token ?? 0) + 1
        rows.set(transaction, keyOf(tenant, name), { token, holder, until: now + millis })
        return Exit.succeed({ _tag: "Granted", token })
      }),
    renew: change,
    release: (tenant, name, token) => change(tenant, name, token, 0),
    standing: (tenant, name) =>
      journal.read((transaction, fiber) => {
        const row = rows.get(transaction, keyOf(tenant, name))
        const remaining = (row?.until ?? 0) - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        return row === undefined || remaining <= 0 ? undefined : { holder: row.holder, token: row.token, remaining }
      }),
    newest: (tenant, name) => journal.read((transaction) => rows.get(transaction, keyOf(tenant, name))?.token ?? 0)
  }
}
