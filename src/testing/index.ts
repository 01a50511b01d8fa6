/**
 * What proves things: laws that every implementation of a port must keep, and tests of decisions and read models. Needs no
 * test runner and works with any.
 *
 * @since 0.1.0
 */
export * as Assert from "./Assert.ts"
export * as CheckpointStoreLaws from "./CheckpointStoreLaws.ts"
export * as ConsumerStoreLaws from "./ConsumerStoreLaws.ts"
export * as CommutingSpec from "./CommutingSpec.ts"
export * as DeciderSpec from "./DeciderSpec.ts"
export * as EventBusLaws from "./EventBusLaws.ts"
export * as EventGroupsLaws from "./EventGroupsLaws.ts"
export * as EventImportLaws from "./EventImportLaws.ts"
export * as EventStoreLaws from "./EventStoreLaws.ts"
export * as Fault from "./Fault.ts"
export * as Faults from "./Faults.ts"
export * as FlowStoreLaws from "./FlowStoreLaws.ts"
export * as HealthChecksLaws from "./HealthChecksLaws.ts"
export * as InboxLaws from "./InboxLaws.ts"
export * as Law from "./Law.ts"
export * as LeaseLaws from "./LeaseLaws.ts"
export * as LiveHubLaws from "./LiveHubLaws.ts"
export * as OutboxLaws from "./OutboxLaws.ts"
export * as ParkedStoreLaws from "./ParkedStoreLaws.ts"
export * as ProjectionLaws from "./ProjectionLaws.ts"
export * as ProjectionSpec from "./ProjectionSpec.ts"
export * as ProjectionStoreLaws from "./ProjectionStoreLaws.ts"
export * as QueryCacheLaws from "./QueryCacheLaws.ts"
export * as ReadModelStoreLaws from "./ReadModelStoreLaws.ts"
export * as SnapshotStoreLaws from "./SnapshotStoreLaws.ts"
export * as StreamAdminLaws from "./StreamAdminLaws.ts"
export * as UnitOfWorkLaws from "./UnitOfWorkLaws.ts"
