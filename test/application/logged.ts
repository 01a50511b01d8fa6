import { Effect, Logger, References } from "effect"

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** A place for log lines, and the layer that puts them there. */
export const logging = () => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    const [first] = Array.isArray(message) ? message : [message]
    lines.push({ level: logLevel, message: String(first), annotations: fiber.getRef(References.CurrentLogAnnotations) })
  })
  const capture = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(Effect.provideService(References.MinimumLogLevel, "All"), Effect.provide(Logger.layer([logger])))
  return { lines, capture }
}
