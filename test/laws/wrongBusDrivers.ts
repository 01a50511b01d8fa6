/**
 * Drivers of an event bus that are wrong on purpose: the laws must see what is wrong.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Envelope } from "../../src/domain/IntegrationEvent.ts"
import * as EventBusDriver from "../../src/ports/EventBusDriver.ts"
import * as EventBusError from "../../src/ports/EventBusError.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"
import { type Driver, layer, type Node } from "./busDriver.ts"
import type { Control } from "./controls.ts"

type Services = Layer.Success<ReturnType<typeof layer>>
type Change = (driver: Driver, node: Node) => Driver

const drivers = (
  wrong: string,
  breaks: ReadonlyArray<string>,
  change: Change,
  over?: (receiver: EventBusDriver.Receiver) => EventBusDriver.Receiver
): Control<Services> => ({
  wrong,
  breaks,
  laws: [...EventBusLaws.laws, ...EventBusLaws.transactional, ...EventBusLaws.acrossProcesses],
  layer: layer((driver, node) => EventBusDriver.afterCommit(change(driver, node)), over)
})

const sending =
  (change: (envelope: Envelope) => Envelope): Change =>
  (driver) => ({ ...driver, publish: (envelopes) => driver.publish(Arr.map(envelopes, change)) })

export const wrongBusDrivers: ReadonlyArray<Control<Services>> = [
  {
    ...drivers("transactions are ignored", ["leaves after its commit", "never leaves"], (driver) => driver),
    layer: layer((driver) => Effect.succeed(driver))
  },
  drivers("events come in reverse", ["in the order of publishing"], (driver) => ({
    ...driver,
    publish: (envelopes) => driver.publish(Arr.reverse(envelopes))
  })),
  drivers("large events arrive later", ["arrives whole, and in its place"], (driver) => ({
    ...driver,
    publish: (envelopes) =>
      Effect.forEach(
        [true, false].map((small) => envelopes.filter(({ type }) => type.endsWith("noted") !== small)),
        (some) => (Arr.isArrayNonEmpty(some) ? driver.publish(some) : Effect.void),
        { discard: true }
      )
  })),
  drivers(
    "large events are cut short",
    ["arrives whole"],
    sending((one) => Object.assign({}, one, { data: JSON.parse(JSON.stringify(one.data).replace(/🎈/g, "")) }))
  ),
  drivers(
    "who did it is not said",
    ["all that it belongs to", "what it belongs to"],
    sending(({ actor: _, attributes: __, ...envelope }) => envelope)
  ),
  drivers(
    "everything is of one tenant",
    ["sees the tenant it runs for"],
    sending((one) => Object.assign({}, one, { tenant: "all" }))
  ),
  drivers("nobody else hears", ["every process hears", "in another process"], (driver, node) => ({
    ...driver,
    publish: (envelopes) =>
      Effect.sync(() => void setImmediate(() => envelopes.forEach((one) => node.arrive(JSON.stringify(one)))))
  })),
  drivers("who publishes hears at once", ["in one order"], (driver, node) => {
    const own = new Set<string>()
    const arrive = node.arrive
    node.arrive = (text) => (own.delete(text) ? undefined : arrive(text))
    return {
      ...driver,
      publish: (envelopes) =>
        Effect.andThen(
          Effect.sync(() => {
            for (const text of envelopes.map((one) => JSON.stringify(one))) {
              arrive(text)
              own.add(text)
            }
          }),
          driver.publish(envelopes)
        )
    }
  }),
  drivers("it listens some time later", ["every subscriber gets every event"], (driver) => ({
    ...driver,
    listen: (tenant) => Effect.asVoid(Effect.forkScoped(Effect.delay(driver.listen(tenant), "5 millis")))
  })),
  drivers("each interest hears by itself", ["everybody"], (driver, node) => {
    const arrive = node.arrive
    node.arrive = (text) => node.interests.forEach(() => arrive(text))
    return driver
  }),
  drivers("what was published while it was down is said to have left", ["fails with NotConnected"], (driver) => ({
    ...driver,
    publish: (envelopes) => Effect.ignore(driver.publish(envelopes))
  })),
  drivers("that it is down is called by another name", ["fails with NotConnected"], (driver) => ({
    ...driver,
    publish: (envelopes) =>
      Effect.mapError(driver.publish(envelopes), (error) => EventBusError.notTaken("test", true, error))
  })),
  drivers(
    "who was cut off is deaf",
    ["who was cut off hears again"],
    (driver) => driver,
    (receiver) => {
      let deaf = false
      return {
        ...receiver,
        take: (received) => (deaf ? undefined : receiver.take(received)),
        down: () => void (deaf = true)
      }
    }
  ),
  drivers(
    "what came last comes again after a cut",
    ["who was cut off hears again"],
    (driver) => driver,
    (receiver) => {
      let last: unknown
      return {
        ...receiver,
        take: (received) => receiver.take((last = received)),
        up: () => {
          receiver.up()
          receiver.take(last)
        }
      }
    }
  ),
  drivers(
    "it is up before it hears",
    ["who was cut off hears again"],
    (driver) => driver,
    (receiver) => {
      let deaf = 0
      return {
        ...receiver,
        take: (received) => (deaf > 0 ? void deaf-- : receiver.take(received)),
        up: () => {
          deaf = 3
          receiver.up()
        }
      }
    }
  )
]
