/**
 * What the commands work on: a program's events and its stores.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Event from "../../domain/Event.ts"
import type { Projection } from "../../application/Projection.ts"
import type * as Rebuild from "../../application/Rebuild.ts"
import type * as SchemaLock from "../../application/SchemaLock.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { SystemContext } from "../../ports/SystemContext.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"

/**
 * What `effect-cqrs.config.ts` exports.
 *
 * @category models
 * @since 0.1.0
 */
export interface Config<
  Sources extends ReadonlyArray<SchemaLock.Source>,
  E = never,
  Projections extends ReadonlyArray<AnyProjection> = []
> {
  /** All that reads the log: every event class, retired event and join of the program. */
  readonly events: Sources
  /**
   * The event store, and the services that upcasters need; for commands that look into the log. With projections, all ports and
   * what their handlers need.
   */
  readonly layer?:
    | Layer.Layer<
        EventStore | Exclude<SchemaLock.ServicesOf<Sources>, TenantContext> | NeededBy<Projections[number]>,
        E
      >
    | undefined
  /** The projections that can be rebuilt. */
  readonly projections?: Projections | undefined
}

/**
 * A projection of any kind.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyProjection = Projection<unknown, unknown, unknown>

/**
 * What rebuilding a projection needs.
 *
 * @category models
 * @since 0.1.0
 */
export type NeededBy<P> = [P] extends [never]
  ? never
  : P extends Projection<infer _E, infer R, infer _X>
    ? R | Exclude<Rebuild.Services, SystemContext>
    : never

/**
 * The default export of `effect-cqrs.config.ts`.
 *
 * **Example** (A configuration file)
 *
 * ```ts
 * import { Event, Memory } from "effect-cqrs"
 * import { defineConfig } from "effect-cqrs/cli"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
 *
 * export default defineConfig({ events: [TaskCreated], layer: Memory.layer })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const defineConfig = <
  const Sources extends ReadonlyArray<SchemaLock.Source>,
  E = never,
  const Projections extends ReadonlyArray<AnyProjection> = []
>(
  config: Config<Sources, E, Projections>
): Config<Sources, E, Projections> => config

/**
 * The project that a command works on.
 *
 * @category services
 * @since 0.1.0
 */
export class Project extends Context.Service<
  Project,
  {
    /** Where its files are. */
    readonly folder: string
    readonly events: ReadonlyArray<SchemaLock.Source>
    /** The event store, and all that reading needs. */
    readonly layer: Layer.Layer<unknown, unknown> | undefined
    readonly projections: ReadonlyArray<AnyProjection>
  }
>()("effect-cqrs/cli/Project") {}

/**
 * The project of a program that runs the commands itself. Its files are in `folder`, the working directory when absent.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  const Sources extends ReadonlyArray<SchemaLock.Source>,
  E = never,
  const Projections extends ReadonlyArray<AnyProjection> = []
>(
  config: Config<Sources, E, Projections>,
  folder = "."
): Layer.Layer<Project> => {
  const stores: unknown = config.layer
  return Layer.succeed(Project, {
    folder,
    events: config.events,
    layer: isStores(stores) ? stores : undefined,
    projections: config.projections ?? []
  })
}

/**
 * The project that a configuration file describes, or what is wrong with what it exports.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromUnknown = (exported: unknown, folder: string): Result.Result<Project["Service"], string> => {
  if (!isRecord(exported))
    return Result.fail("has no default export: write `export default defineConfig({ events: [...] })`")
  const { events, layer: stores, projections = [], ...others } = exported
  const [other] = Object.keys(others)
  if (other !== undefined)
    return Result.fail(`exports \`${other}\`, which is not known: there are \`events\`, \`layer\` and \`projections\``)
  if (!Array.isArray(events)) return Result.fail("exports no `events`: list the event classes of your program")
  const sources: ReadonlyArray<unknown> = events
  const strange = sources.findIndex((source) => !isSource(source))
  if (strange !== -1)
    return Result.fail(`exports something else than an event class or a join at \`events[${strange}]\``)
  if (stores !== undefined && !isStores(stores)) return Result.fail("exports a `layer` that is not a Layer")
  const listed: ReadonlyArray<unknown> | undefined = Array.isArray(projections) ? projections : undefined
  if (listed === undefined || !listed.every(isProjection)) {
    return Result.fail("exports `projections` that are not a list of projections")
  }
  return Result.succeed({ folder, events: sources.filter(isSource), layer: stores, projections: listed })
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null

const isSource = (value: unknown): value is SchemaLock.Source =>
  (typeof value === "function" || typeof value === "object") &&
  value !== null &&
  "tag" in value &&
  (Event.TypeId in value || "isRun" in value)

const isProjection = (value: unknown): value is AnyProjection =>
  isRecord(value) && typeof value["name"] === "string" && Array.isArray(value["collections"]) && "handle" in value

// What it gives and needs, `defineConfig` has asked of it: a layer does not tell at run time.
const isStores = (value: unknown): value is Layer.Layer<unknown, unknown> => Layer.isLayer(value)
