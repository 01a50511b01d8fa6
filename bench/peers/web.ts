/**
 * A command by POST: with Fastify alone, which validates by a JSON schema, and with @nestjs/cqrs behind Nest's Fastify
 * adapter, which validates nothing.
 */
import type { Contender } from "../harness.ts"
import { load } from "../load.ts"

const message = { taskId: "t-1", title: "Write" }
const request = {
  path: "/tasks",
  contentType: "application/json",
  body: JSON.stringify(message),
  answer: `"length":5`
}

const portOf = (address: unknown): number => {
  const port = address !== null && typeof address === "object" && "port" in address ? address.port : undefined
  if (typeof port !== "number") throw new Error("The server has no port")
  return port
}

export const fastify =
  (clients: number, loading = load): Contender =>
  async () => {
    const { default: Fastify } = await import("fastify")
    const app = Fastify()
    const text = { type: "string", minLength: 1 }
    app.post<{ Body: typeof message }>(
      "/tasks",
      {
        schema: {
          body: { type: "object", required: ["taskId", "title"], properties: { taskId: text, title: text } },
          response: { 200: { type: "object", properties: { length: { type: "integer" } } } }
        }
      },
      async ({ body }) => ({ length: body.title.length })
    )
    await app.listen({ port: 0, host: "127.0.0.1" })
    return loading(clients, { ...request, port: portOf(app.server.address()) })
  }

class CreateTask {
  readonly taskId: string
  readonly title: string
  constructor(taskId: string, title: string) {
    this.taskId = taskId
    this.title = title
  }
}

class CreateTaskHandler {
  async execute({ title }: CreateTask): Promise<{ readonly length: number }> {
    return { length: title.length }
  }
}

class App {}

export const nest =
  (clients: number, loading = load): Contender =>
  async () => {
    await import("reflect-metadata")
    const { Body, Controller, HttpCode, Module, Post } = await import("@nestjs/common")
    const { NestFactory } = await import("@nestjs/core")
    const { CommandBus, CommandHandler, CqrsModule } = await import("@nestjs/cqrs")
    const { FastifyAdapter } = await import("@nestjs/platform-fastify")
    class Tasks {
      private readonly bus: InstanceType<typeof CommandBus>
      constructor(bus: InstanceType<typeof CommandBus>) {
        this.bus = bus
      }
      create(body: typeof message): Promise<unknown> {
        return this.bus.execute(new CreateTask(body.taskId, body.title))
      }
    }
    // Its decorators are functions.
    CommandHandler(CreateTask)(CreateTaskHandler)
    Reflect.defineMetadata("design:paramtypes", [CommandBus], Tasks)
    const create = Object.getOwnPropertyDescriptor(Tasks.prototype, "create")
    if (create === undefined) throw new Error("There is no method")
    Body()(Tasks.prototype, "create", 0)
    HttpCode(200)(Tasks.prototype, "create", create)
    Post("tasks")(Tasks.prototype, "create", create)
    Controller()(Tasks)
    Module({ imports: [CqrsModule.forRoot()], controllers: [Tasks], providers: [CreateTaskHandler] })(App)
    const app = await NestFactory.create(App, new FastifyAdapter(), { logger: false })
    await app.listen(0, "127.0.0.1")
    return loading(clients, { ...request, port: portOf(app.getHttpServer().address()) })
  }
