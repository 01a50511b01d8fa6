/**
 * `npm run tasks -- ada@acme [title]`: a program that talks to the board over RPC. It adds a task when there is a title, and
 * prints the list.
 */
import { Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { CommandBus, QueryBus, TenantContext } from "effect-cqrs"
import { BusClient } from "effect-cqrs/rpc"
import { randomUUID } from "node:crypto"
import { AddTask, Board, ListTasks } from "./messages.ts"

const url = process.env["BOARD_URL"] ?? "http://127.0.0.1:3000"
const [user = "ada@acme", title] = process.argv.slice(2)

const logIn = Effect.promise(async () => {
  const response = await fetch(`${url}/session`, { method: "POST", body: JSON.stringify({ user }) })
  if (!response.ok) throw new Error(`${user} cannot log in: ${response.status}`)
  const { session }: { readonly session: string } = JSON.parse(await response.text())
  return { authorization: `Bearer ${session}` }
})

const program = Effect.gen(function* () {
  const after =
    title === undefined ? undefined : (yield* CommandBus.dispatch(new AddTask({ taskId: randomUUID(), title }))).receipt
  for (const task of yield* QueryBus.ask(new ListTasks(), { after })) {
    console.log(`${task.isDone ? "[x]" : "[ ]"} ${task.title} (${task.by})`)
  }
})

const Client = Layer.unwrap(
  Effect.map(logIn, (headers) => BusClient.layerHttp(Board, { url: `${url}/rpc`, headers }))
).pipe(Layer.provide(FetchHttpClient.layer))

await Effect.runPromise(program.pipe(Effect.provide([Client, TenantContext.layerSingle])))
