/**
 * The commands of the `effect-cqrs` executable as values, for a program's own command line, and what its configuration
 * file is written with.
 *
 * @since 0.1.0
 */
export * as CommandError from "./CommandError.ts"
export * as Database from "./Database.ts"
export * as EventsCommand from "./EventsCommand.ts"
export * as FlowCommand from "./FlowCommand.ts"
export * as MigrateCommand from "./MigrateCommand.ts"
export * as OutboxCommand from "./OutboxCommand.ts"
export * as Project from "./Project.ts"
export { type Config, defineConfig } from "./Project.ts"
export * as ProjectionsCommand from "./ProjectionsCommand.ts"
export * as SchemaCommand from "./SchemaCommand.ts"
export * as StreamsCommand from "./StreamsCommand.ts"
export * as SubscriptionsCommand from "./SubscriptionsCommand.ts"
