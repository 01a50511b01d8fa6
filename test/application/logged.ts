import { Effect, Logger, References } from "effect"

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
  /** All that the line says, causes included. */
  readonly all: string
}

/** A place for log lines, and the layer that puts them there. */
export const logging = () => {
  const lines: Array<Line> = []
  const logger = Logger.make((options) => {
    const { fiber, logLevel, message } = options
    const [first] = Array.isArray(message) ? message : [message]
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    lines.push({ level: logLevel, message: String(first), annotations, all: Logger.formatLogFmt.log(options) })
  })
  const capture = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(Effect.provideService(References.MinimumLogLevel, "All"), Effect.provide(Logger.layer([logger])))
  return { lines, capture }
}
