/**
 * What proves things: laws that every implementation of a port must keep, and tests of decisions and read models. Needs no
 * test runner and works with any.
 *
 * @since 0.1.0
 */
export * as Assert from "./Assert.ts"
export * as CheckpointStoreLaws from "./CheckpointStoreLaws.ts"
export * as DeciderSpec from "./DeciderSpec.ts"
export * as EventBusLaws from "./EventBusLaws.ts"
export * as EventStoreLaws from "./EventStoreLaws.ts"
export * as Law from "./Law.ts"
export * as ProjectionSpec from "./ProjectionSpec.ts"
export * as ReadModelStoreLaws from "./ReadModelStoreLaws.ts"
export * as UnitOfWorkLaws from "./UnitOfWorkLaws.ts"
