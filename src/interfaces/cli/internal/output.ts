/** What the commands over a database have in common: their flags, and how they answer. */
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as CommandError from "../CommandError.ts"
import { Database, type Ports } from "../Database.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

export const tenant = Flag.String("tenant").pipe(
  Flag.withDescription("Whose data, the tenant default when absent"),
  Flag.withDefault("default")
)

export const limit = (otherwise: number) =>
  Flag.Int("limit").pipe(Flag.withDescription(`At most so many, ${otherwise} when absent`), Flag.withDefault(otherwise))

/** Runs what a command does over the ports, as one tenant, with leave to look at all. */
export const withPorts =
  (as = "default") =>
  <A, E>(
    self: Effect.Effect<A, E, Ports | TenantContext.TenantContext | SystemContext.SystemContext>
  ): Effect.Effect<A, CommandError.CommandError, Database> =>
    Effect.flatMap(Database, ({ ports }) =>
      self.pipe(
        Effect.mapError((cause) =>
          cause instanceof CommandError.CommandError ? cause : CommandError.unable(CommandError.describe(cause))
        ),
        TenantContext.provide(as),
        SystemContext.provide("the command line"),
        Effect.provide(ports)
      )
    )

/** Prints rows as JSON, or as a table with a line for each. */
export const rows = <A extends object>(
  isJson: boolean,
  all: ReadonlyArray<A>,
  columns: Readonly<Record<string, (row: A) => string | number | undefined>>,
  none: string
): Effect.Effect<void> => {
  if (isJson) return Console.log(JSON.stringify(all, null, 2))
  if (all.length === 0) return Console.log(none)
  const names = Object.keys(columns)
  const cells = all.map((row) => Object.values(columns).map((cell) => oneLine(String(cell(row) ?? ""))))
  const widths = names.map((name, index) => Math.max(name.length, ...cells.map((row) => row[index]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd()
  return Console.log([line(names), ...cells.map(line)].join("\n"))
}

/** Prints one thing as JSON, or a line for each of its fields. */
export const fields = (isJson: boolean, one: Readonly<Record<string, unknown>>): Effect.Effect<void> => {
  if (isJson) return Console.log(JSON.stringify(one, null, 2))
  const known = Object.entries(one).filter(([, value]) => value !== undefined)
  const width = Math.max(0, ...known.map(([name]) => name.length))
  return Console.log(
    known
      .map(([name, value]) => `${name.padEnd(width)}  ${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join("\n")
  )
}

export const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`

export const time = (millis: number | undefined): string =>
  millis === undefined ? "" : new Date(millis).toISOString().replace("T", " ").slice(0, 19)

const oneLine = (text: string): string => {
  const flat = text.replace(/\s+/g, " ")
  return flat.length > 80 ? `${flat.slice(0, 79)}…` : flat
}
