/**
 * A broker in memory, which moves texts, as brokers do: each bus over it is a process of its own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TenantId } from "../../src/domain/TenantId.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as EventBusDriver from "../../src/ports/EventBusDriver.ts"
import * as EventBusError from "../../src/ports/EventBusError.ts"
import * as UnitOfWork from "../../src/ports/UnitOfWork.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"

const promises = {
  delivery: "at most once",
  order: "all",
  reach: "processes",
  durable: false,
  transactional: false
} as const satisfies EventBusDriver.Promises

export type Driver = EventBusDriver.Driver<typeof promises>

export class Broker {
  private readonly nodes = new Set<Node>()

  readonly open = (receiver: EventBusDriver.Receiver): Node => {
    const node = new Node(this, receiver)
    this.nodes.add(node)
    return node
  }

  /** What is sent arrives everywhere in one order, after who has sent it went on. */
  send(texts: ReadonlyArray<string>): void {
    setImmediate(() => {
      for (const node of this.nodes) for (const text of texts) node.arrive(text)
    })
  }
}

export class Node {
  readonly interests = new Map<TenantId | undefined, number>()
  readonly receiver: EventBusDriver.Receiver
  private readonly broker: Broker
  private connected = true

  constructor(broker: Broker, receiver: EventBusDriver.Receiver) {
    this.broker = broker
    this.receiver = receiver
  }

  arrive = (text: string): void => {
    if (this.connected && this.interests.size > 0) this.receiver.take(EventBusDriver.parse(text))
  }

  readonly cut: Effect.Effect<void> = Effect.sync(() => {
    this.connected = false
    this.receiver.down()
    setTimeout(() => {
      this.connected = true
      this.receiver.up()
    }, 30)
  })

  readonly driver: Driver = {
    name: "test",
    promises,
    publish: (envelopes) =>
      Effect.suspend(() => {
        if (!this.connected) return Effect.fail(EventBusError.notConnected("test", "cut"))
        this.broker.send(envelopes.map((envelope) => JSON.stringify(envelope)))
        return Effect.void
      }),
    listen: (tenant) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => this.interests.set(tenant, 1)),
          () => Effect.sync(() => this.interests.delete(tenant))
        )
      )
  }
}

/** Two buses over one broker, each with its driver as `change` makes it. */
export const layer = (
  change: (
    driver: Driver,
    node: Node
  ) => Effect.Effect<Driver, never, UnitOfWork.UnitOfWork> = EventBusDriver.afterCommit,
  over: (receiver: EventBusDriver.Receiver) => EventBusDriver.Receiver = (receiver) => receiver
): Layer.Layer<EventBus.EventBus | EventBus.AcrossProcesses | EventBusLaws.Elsewhere | UnitOfWork.UnitOfWork> => {
  const broker = new Broker()
  const options = { events: EventBusLaws.events }
  const bus = (opened: (node: Node) => void) =>
    EventBus.layerDriver(options, (receiver) =>
      Effect.suspend(() => {
        const node = broker.open(over(receiver))
        opened(node)
        return change(node.driver, node)
      })
    )
  const elsewhere = Layer.effect(
    EventBusLaws.Elsewhere,
    Effect.gen(function* () {
      let cut: Effect.Effect<void> = Effect.void
      const context = yield* Layer.build(Layer.fresh(bus((node) => void (cut = node.cut))))
      return yield* Effect.provide(
        Effect.map(EventBus.EventBus, (bus) => ({ bus, cut })),
        context
      )
    })
  )
  return Layer.mergeAll(
    bus(() => undefined),
    elsewhere
  ).pipe(Layer.provideMerge(UnitOfWork.layerMemory))
}
