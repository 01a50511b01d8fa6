/**
 * What channels promise, as laws: within a process, and among several.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Channel from "../application/Channel.ts"
import type { LiveHub, Message, Presence } from "../application/LiveHub.ts"
import * as Actor from "../domain/Actor.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import * as Assert from "./Assert.ts"
import { count } from "./internal/samples.ts"
import { unique } from "./internal/world.ts"
import * as Law from "./Law.ts"

type Hub = LiveHub["Service"]

/**
 * The channels of two processes that are to be one; the same twice where there is only one process.
 *
 * @category services
 * @since 0.1.0
 */
export class Nodes extends Context.Service<Nodes, { readonly one: Hub; readonly other: Hub }>()(
  "effect-cqrs/testing/LiveHubLaws/Nodes"
) {}

/** A connection, what it was given, and how it ends. */
interface Connection {
  readonly messages: Array<Message>
  readonly presences: Array<string>
  readonly saw: ReadonlyArray<Actor.Actor>
  readonly leave: Effect.Effect<void>
}

/** A topic of one's own, and short ways to come to it. */
interface Desk {
  readonly one: Hub
  readonly other: Hub
  readonly topic: Channel.Channel
  readonly join: (
    hub: Hub,
    id: string,
    channel?: Channel.Channel
  ) => Effect.Effect<Connection, never, TenantContext.TenantContext | Scope.Scope>
  readonly ids: (
    hub: Hub,
    channel?: Channel.Channel
  ) => Effect.Effect<ReadonlyArray<string>, never, TenantContext.TenantContext>
}

const said = ({ actor, isHere }: Presence) => `${actor.id} ${isHere ? "comes" : "goes"}`

const desk = (one: Hub, other: Hub, topic: Channel.Channel): Desk => ({
  one,
  other,
  topic,
  join: (hub, id, channel = topic) =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const [messages, presences]: [Array<Message>, Array<string>] = [[], []]
      const saw = yield* Scope.provide(
        hub.join(channel, {
          actor: Actor.user(id),
          message: (message) => messages.push(message) > 0,
          presence: (presence) => void presences.push(said(presence))
        }),
        scope
      )
      return { messages, presences, saw, leave: Scope.close(scope, Exit.void) }
    }),
  ids: (hub, channel = topic) => Effect.map(hub.members(channel), (actors) => actors.map(({ id }) => id).sort())
})

const law = <A, E, R>(
  name: string,
  body: (desk: Desk) => Effect.Effect<A, E, R>
): Law.Law<Exclude<Exclude<R, TenantContext.TenantContext>, Scope.Scope> | Nodes> =>
  Law.make(name, () =>
    Effect.gen(function* () {
      const { one, other } = yield* Nodes
      const token = yield* unique
      const made = desk(one, other, Channel.topic(`law-${token}`))
      return yield* Effect.scoped(TenantContext.provide(`law-${token}`)(body(made)))
    })
  )

/** Waits for what comes true soon, or fails with what is instead. */
const soon = <E, R>(expected: unknown, actual: Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (const _ of count(400)) {
      if (JSON.stringify(yield* actual) === JSON.stringify(expected)) return
      yield* Effect.sleep("10 millis")
    }
    Assert.equal(yield* actual, expected)
  })

const now = <A>(f: () => A): Effect.Effect<A> => Effect.sync(f)
const data = ({ messages }: Connection) => now(() => messages.map((message) => message.data))

const taken = law("a message is given to all connections of its channel, which are counted, and to no others", (desk) =>
  Effect.gen(function* () {
    const [first, second] = [yield* desk.join(desk.one, "ada"), yield* desk.join(desk.one, "bob")]
    const elsewhere = yield* desk.join(desk.one, "cy", "tenant")
    Assert.equal(yield* desk.one.publish(desk.topic, { n: 1 }, Actor.user("bob")), 2)
    const message = { channel: desk.topic, from: Actor.user("bob"), data: { n: 1 } }
    Assert.equal([first.messages, second.messages, elsewhere.messages], [[message], [message], []])
    Assert.equal(yield* desk.one.publish(Channel.topic(`${desk.topic}2`), 1), 0)
    yield* first.leave
    Assert.equal(yield* desk.one.publish(desk.topic, 2), 1)
    Assert.equal(first.messages.length, 1)
  })
)

const presence = law(
  "who is there is told of an actor's first connection and of its last, and of nothing between",
  (desk) =>
    Effect.gen(function* () {
      const watching = yield* desk.join(desk.one, "ada")
      const [first, second] = [yield* desk.join(desk.one, "bob"), yield* desk.join(desk.one, "bob")]
      Assert.equal(second.saw.map(({ id }) => id).sort(), ["ada", "bob"])
      Assert.equal(yield* desk.ids(desk.one), ["ada", "bob"])
      yield* first.leave
      Assert.equal(yield* desk.ids(desk.one), ["ada", "bob"])
      yield* second.leave
      Assert.equal(yield* desk.ids(desk.one), ["ada"])
      Assert.equal(watching.presences, ["bob comes", "bob goes"])
      yield* watching.leave
      Assert.equal(yield* desk.ids(desk.one), [])
    })
)

const isolated = law(
  "a tenant neither sees nor hears another's channels; what is broadcast all hear, and see their own there",
  (desk) =>
    Effect.gen(function* () {
      const own = yield* desk.join(desk.one, "ada")
      const all = yield* desk.join(desk.one, "ada", "broadcast")
      yield* Effect.gen(function* () {
        for (const hub of [desk.one, desk.other]) {
          Assert.equal(yield* hub.members(desk.topic), [])
          yield* hub.publish(desk.topic, "theirs")
        }
        yield* desk.join(desk.other, "eve")
        yield* desk.join(desk.other, "eve", "broadcast")
        yield* desk.other.publish("broadcast", desk.topic)
      }).pipe(TenantContext.provide(`${desk.topic}-other`))
      // Others may say something to everybody as well.
      yield* soon(
        [desk.topic],
        Effect.map(data(all), (heard) => heard.filter((one) => one === desk.topic))
      )
      yield* desk.other.publish(desk.topic, "last")
      yield* soon(["last"], data(own))
      Assert.equal([own.presences, yield* desk.ids(desk.one)], [[], ["ada"]])
      Assert.equal([all.presences, yield* desk.ids(desk.one, "broadcast")], [[], ["ada"]])
    })
)

const crossing = law("a message reaches who is in the channel at another process, in the order of publishing", (desk) =>
  Effect.gen(function* () {
    const [here, there] = [yield* desk.join(desk.one, "ada"), yield* desk.join(desk.other, "bob")]
    const numbers: ReadonlyArray<unknown> = count(50)
    for (const n of numbers) yield* desk.one.publish(desk.topic, n, Actor.user("ada"))
    yield* soon(numbers, data(there))
    Assert.equal(yield* data(here), numbers)
    Assert.equal(there.messages[0], { channel: desk.topic, from: Actor.user("ada"), data: 1 })
    yield* desk.other.publish(desk.topic, "back")
    yield* soon([...numbers, "back"], data(here))
  })
)

const together = law(
  "an actor is in a channel while it has a connection at any process, and is told of as one",
  (desk) =>
    Effect.gen(function* () {
      const watching = yield* desk.join(desk.one, "ada")
      yield* soon(["ada"], desk.ids(desk.other))
      const far = yield* desk.join(desk.other, "bob")
      Assert.equal(far.saw.map(({ id }) => id).sort(), ["ada", "bob"])
      yield* soon(["ada", "bob"], desk.ids(desk.one))
      const near = yield* desk.join(desk.one, "bob")
      yield* far.leave
      yield* desk.other.publish(desk.topic, "left there")
      yield* soon(["left there"], data(watching))
      Assert.equal([watching.presences, yield* desk.ids(desk.one)], [["bob comes"], ["ada", "bob"]])
      yield* near.leave
      yield* soon(["ada"], desk.ids(desk.other))
      Assert.equal(watching.presences, ["bob comes", "bob goes"])
    })
)

const many = law("all processes agree in the end on who is there, however many come and go", (desk) =>
  Effect.gen(function* () {
    const stay: Array<string> = []
    yield* Effect.forEach(
      count(40),
      (n) =>
        Effect.gen(function* () {
          const hub = n % 3 === 0 ? desk.one : desk.other
          const id = `u${n % 20}`
          const connection = yield* desk.join(hub, id)
          yield* Effect.yieldNow
          if (n % 20 < 10) yield* connection.leave
          else stay.push(id)
        }),
      { concurrency: "unbounded" }
    )
    const expected = Array.from(new Set(stay)).sort()
    const hubs = [desk.one, desk.other]
    for (const hub of hubs) yield* soon(expected, desk.ids(hub))
    yield* Effect.sleep("50 millis")
    for (const hub of hubs) Assert.equal(yield* desk.ids(hub), expected)
  })
)

/**
 * The laws of `LiveHub`, of two processes on one bus or of one that stands for both.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Nodes>> = [taken, presence, isolated, crossing, together, many]
