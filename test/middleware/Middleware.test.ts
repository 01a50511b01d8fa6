import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import {
  Command,
  CommandBus,
  DispatchError,
  group,
  type Handler,
  Introspection,
  type Message,
  Middleware,
  on,
  Query,
  QueryBus,
  TenantContext
} from "../../src/index.ts"

class One extends Command.Class<One>()("One", { payload: {}, success: Schema.Int }) {}
class Two extends Command.Class<Two>()("Two", { payload: {}, success: Schema.Int }) {}
class Ask extends Query.Class<Ask>()("Ask", { payload: {}, success: Schema.Int }) {}

const single = TenantContext.layerSingle
const one = CommandBus.execute(new One())
const two = CommandBus.execute(new Two())

/** Middleware that notes when a message comes in and goes out, and how often it is put around a handler. */
const tracks = () => {
  const ran: Array<string> = []
  let wrapped = 0
  const track = (name: string) =>
    Middleware.make(
      name,
      (next) => {
        wrapped++
        return (message) =>
          Effect.suspend(() => {
            ran.push(`${name} in`)
            return Effect.ensuring(
              next(message),
              Effect.sync(() => void ran.push(`${name} out`))
            )
          })
      },
      { name }
    )
  const handler = Effect.sync(() => ran.push("handler"))
  return { ran, track, handler, wrapped: () => wrapped }
}

const names = Effect.map(Introspection.describe, ({ messages }) =>
  messages.map(({ message, middleware }) => [message.tag, ...middleware.map(({ name }) => name)])
)

describe("the order of middleware", () => {
  it.effect("is bus, group, handler; what is used last runs first, and introspection shows it outermost first", () =>
    Effect.gen(function* () {
      const { handler, ran, track } = tracks()
      const Handlers = CommandBus.handlers(
        group(
          on(One, () => handler).pipe(Middleware.use(track("own 1")), Middleware.use(track("own 2"))),
          on(Two, () => handler)
        ).pipe(Middleware.use(track("group 1")), Middleware.use(track("group 2")))
      ).pipe(Layer.provide(CommandBus.middleware(track("bus 1"), track("bus 2"))))

      const shown = yield* Effect.andThen(one, names).pipe(Effect.provide([Handlers, single]))
      const order = ["bus 1", "bus 2", "group 2", "group 1", "own 2", "own 1"]
      expect(ran).toEqual([
        ...order.map((name) => `${name} in`),
        "handler",
        ...order.toReversed().map((name) => `${name} out`)
      ])
      expect(shown).toEqual([
        ["One", ...order],
        ["Two", "bus 1", "bus 2", "group 2", "group 1"]
      ])
    })
  )

  it.effect("keeps both of two layers of middleware, the one provided last outermost", () =>
    Effect.gen(function* () {
      const { handler, ran, track } = tracks()
      const Handlers = CommandBus.handlers(on(One, () => handler)).pipe(
        Layer.provide(CommandBus.middleware(track("inner"))),
        Layer.provide(CommandBus.middleware(track("outer")))
      )
      const shown = yield* Effect.andThen(one, names).pipe(Effect.provide([Handlers, single]))
      expect(ran.slice(0, 3)).toEqual(["outer in", "inner in", "handler"])
      expect(shown).toEqual([["One", "outer", "inner"]])
    })
  )
})

describe("the middleware of a bus", () => {
  it.effect("is around the handlers whose layers it is provided to, and no others", () =>
    Effect.gen(function* () {
      const { handler, track } = tracks()
      const First = CommandBus.handlers(on(One, () => handler)).pipe(
        Layer.provide(CommandBus.middleware(track("first")))
      )
      const Both = Layer.merge(First, CommandBus.handlers(on(Two, () => handler)))
      expect(yield* names.pipe(Effect.provide(Both))).toEqual([["One", "first"], ["Two"]])
    })
  )

  it.effect("is of commands or of queries", () =>
    Effect.gen(function* () {
      const { handler, ran, track } = tracks()
      const Live = Layer.merge(
        CommandBus.handlers(on(One, () => handler)),
        QueryBus.handlers(on(Ask, () => handler))
      ).pipe(Layer.provide([CommandBus.middleware(track("command")), QueryBus.middleware(track("query"))]))
      const program = Effect.andThen(Effect.andThen(QueryBus.ask(new Ask()), one), names)
      expect(yield* program.pipe(Effect.provide([Live, single]))).toEqual([
        ["One", "command"],
        ["Ask", "query"]
      ])
      expect(ran.filter((line) => line.endsWith("in"))).toEqual(["query in", "command in"])
    })
  )

  it.effect("has the services it requires from where its layer was built", () =>
    Effect.gen(function* () {
      class Gate extends Context.Service<Gate, { readonly open: boolean }>()("test/Gate") {}
      const gated = Middleware.make<Message.Any, DispatchError.DispatchError, Gate>(
        "gated",
        (next) => (message) =>
          Effect.gen(function* () {
            const { open } = yield* Gate
            const reason = new DispatchError.Unreachable({ service: "gate" })
            return open ? yield* next(message) : yield* DispatchError.make(message._tag, reason)
          })
      )
      const through = (open: boolean) =>
        one.pipe(
          Effect.result,
          Effect.map((result) => result._tag),
          Effect.provide(
            Layer.merge(
              CommandBus.handlers(on(One, () => Effect.succeed(1))).pipe(
                Layer.provide(CommandBus.middleware(gated)),
                Layer.provide(Layer.succeed(Gate, { open }))
              ),
              single
            )
          )
        )
      expect([yield* through(true), yield* through(false)]).toEqual(["Success", "Failure"])
    })
  )
})

describe("a middleware", () => {
  it.effect("is put around a handler once, not for each call", () =>
    Effect.gen(function* () {
      const { handler, track, wrapped } = tracks()
      const Handlers = CommandBus.handlers(
        group(
          on(One, () => handler),
          on(Two, () => handler)
        )
      ).pipe(Layer.provide(CommandBus.middleware(track("bus"))))
      yield* Effect.all([one, two, one]).pipe(Effect.provide([Handlers, single]))
      expect(wrapped()).toBe(2)
    })
  )

  it.effect("shows its name and policy, lifted or not", () =>
    Effect.gen(function* () {
      const made = Middleware.make("made", (next) => next, { level: 3 })
      const bare = Middleware.make("bare", (next) => next)
      const lifted = Middleware.lift("lifted", (effect) => effect, { per: "second" })
      const Handlers = CommandBus.handlers(
        on(One, () => Effect.succeed(1)).pipe(Middleware.use(bare), Middleware.use(made), Middleware.use(lifted))
      )
      const { messages } = yield* Introspection.describe.pipe(Effect.provide(Handlers))
      expect(messages[0]?.middleware).toEqual([
        { name: "lifted", policy: { per: "second" } },
        { name: "made", policy: { level: 3 } },
        { name: "bare", policy: {} }
      ])
    })
  )

  it.effect("provides services to what it wraps, and nowhere else", () =>
    Effect.gen(function* () {
      class User extends Context.Service<User, { readonly name: string }>()("test/User") {}
      class Session extends Context.Service<Session, { readonly user: string }>()("test/Session") {}
      const signedIn = Middleware.make<Message.Any, never, Session, User>(
        "signedIn",
        (next) => (message) =>
          Effect.flatMap(Session, ({ user }) => Effect.provideService(next(message), User, { name: user }))
      )
      class WhoAmI extends Command.Class<WhoAmI>()("WhoAmI", { payload: {}, success: Schema.String }) {}
      class IsThere extends Command.Class<IsThere>()("IsThere", { payload: {}, success: Schema.Boolean }) {}
      const Handlers = CommandBus.handlers(
        on(WhoAmI, () => Effect.map(User, ({ name }) => name)).pipe(Middleware.use(signedIn)),
        on(IsThere, () => Effect.map(Effect.serviceOption(User), (user) => user._tag === "Some"))
      ).pipe(Layer.provide(Layer.succeed(Session, { user: "ada" })))
      const both = Effect.all([CommandBus.execute(new WhoAmI()), CommandBus.execute(new IsThere())])
      expect(yield* both.pipe(Effect.provide([Handlers, single]))).toEqual(["ada", false])
    })
  )

  it.effect("handles errors, which the class then need not declare", () =>
    Effect.gen(function* () {
      class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Int }) {}
      class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
      // An overload, because the compiler cannot narrow an error whose type it does not know.
      function translate<N, A, E, R>(
        next: Handler.Handler<N, A, E, R>
      ): Handler.Handler<N, A, NotFound | Exclude<E, Missing>, R>
      function translate(
        next: Handler.Handler<unknown, unknown, unknown, unknown>
      ): Handler.Handler<unknown, unknown, unknown, unknown> {
        return (message) =>
          Effect.mapError(next(message), (error) => (error instanceof Missing ? new NotFound() : error))
      }
      const translated = Middleware.make<Message.Any, NotFound, never, never, Missing>("translated", translate)
      class Find extends Command.Class<Find>()("Find", { payload: { id: Schema.Int }, error: NotFound }) {}
      const Handlers = CommandBus.handlers(
        on(Find, ({ id }) => Effect.fail(new Missing({ id }))).pipe(Middleware.use(translated))
      )
      const error = yield* Effect.flip(CommandBus.execute(new Find({ id: 1 }))).pipe(Effect.provide([Handlers, single]))
      expect(error).toEqual(new NotFound())
    })
  )

  it.effect("sees a handler that throws before it gives an Effect as one that dies", () =>
    Effect.gen(function* () {
      const { ran, track } = tracks()
      const bug = new Error("bug")
      const rescued = Middleware.lift("rescued", (effect) =>
        Effect.onError(effect, () => Effect.sync(() => ran.push("dead")))
      )
      const Handlers = CommandBus.handlers(
        on(One, (): Effect.Effect<number> => {
          throw bug
        }).pipe(Middleware.use(track("inner")), Middleware.use(rescued))
      )
      const exit = yield* Effect.exit(one).pipe(Effect.provide([Handlers, single]))
      expect(exit).toMatchObject({ _tag: "Failure", cause: { reasons: [{ _tag: "Die", defect: bug }] } })
      expect(ran).toEqual(["inner in", "inner out", "dead"])
    })
  )
})
