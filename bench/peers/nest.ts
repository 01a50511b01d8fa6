/**
 * @nestjs/cqrs: plain classes to handlers that its modules find; nothing is validated, and messages have no ids.
 */
import type * as Cqrs from "@nestjs/cqrs"
import { type Contender, perSecond } from "../harness.ts"

class CreateTask {
  readonly taskId: string
  readonly title: string
  constructor(taskId: string, title: string) {
    this.taskId = taskId
    this.title = title
  }
}

class TaskCreated {
  readonly taskId: string
  readonly title: string
  constructor(taskId: string, title: string) {
    this.taskId = taskId
    this.title = title
  }
}

let handled = 0

class CreateTaskHandler {
  async execute(_: CreateTask): Promise<void> {
    handled++
  }
}

/** Each is found by its class. */
const handlerClass = () =>
  class TaskCreatedHandler {
    handle(_: TaskCreated): void {
      handled++
    }
  }

class App {}

/** A program with both handlers, as `NestFactory` builds it. Its decorators are functions. */
const start = async (handlers = 1): Promise<{ readonly commands: Cqrs.CommandBus; readonly events: Cqrs.EventBus }> => {
  await import("reflect-metadata")
  const { Module } = await import("@nestjs/common")
  const { NestFactory } = await import("@nestjs/core")
  const { CommandBus, CommandHandler, CqrsModule, EventBus, EventsHandler } = await import("@nestjs/cqrs")
  CommandHandler(CreateTask)(CreateTaskHandler)
  const ofEvents = Array.from({ length: handlers }, handlerClass)
  for (const one of ofEvents) EventsHandler(TaskCreated)(one)
  Module({ imports: [CqrsModule.forRoot()], providers: [CreateTaskHandler, ...ofEvents] })(App)
  const app = await NestFactory.createApplicationContext(App, { logger: false })
  return { commands: app.get(CommandBus), events: app.get(EventBus) }
}

export const dispatched: Contender = async () => {
  const { commands } = await start()
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) await commands.execute(new CreateTask("t-1", "Write"))
  })
}

export const dispatchedAgain: Contender = async () => {
  const { commands } = await start()
  const command = new CreateTask("t-1", "Write")
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) await commands.execute(command)
  })
}

export const publishedTo =
  (handlers: number): Contender =>
  async () => {
    const { events } = await start(handlers)
    return perSecond(async (times) => {
      const before = handled
      for (let n = 0; n < times; n++) {
        events.publish(new TaskCreated("t-1", "Write"))
        // Each publication costs more while others are unfinished.
        await Promise.resolve()
      }
      if (handled - before !== times * handlers) throw new Error(`${times} published, ${handled - before} handled`)
    })
  }

export const published: Contender = publishedTo(1)
