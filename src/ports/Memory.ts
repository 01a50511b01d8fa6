/**
 * All ports in memory, as one layer: for tests, for trying things out, and for programs that keep nothing.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import * as CheckpointStore from "./CheckpointStore.ts"
import * as EventBus from "./EventBus.ts"
import * as EventStore from "./EventStore.ts"
import * as ReadModelStore from "./ReadModelStore.ts"
import * as UnitOfWork from "./UnitOfWork.ts"

/**
 * Event store, checkpoints, read models, event bus and units of work over one journal: what one transaction writes to
 * several of them commits together.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
  | EventStore.EventStore
  | CheckpointStore.CheckpointStore
  | ReadModelStore.ReadModelStore
  | EventBus.EventBus
  | EventBus.EventBusHistory
  | UnitOfWork.UnitOfWork
> = Layer.mergeAll(
  EventStore.layerMemory,
  CheckpointStore.layerMemory,
  ReadModelStore.layerMemory,
  EventBus.layerMemory,
  UnitOfWork.layerMemory
)
