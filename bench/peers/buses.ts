/**
 * What carries events, without anything around it: Node's emitter, ioredis 6, node-postgres.
 */
import { EventEmitter } from "node:events"
import { Redis } from "ioredis6"
import pg from "pg"
import { type Contender, perSecond } from "../harness.ts"
import { type Link, hop, hops } from "./hops.ts"

export const emitted =
  (handlers: number): Contender =>
  () => {
    const emitter = new EventEmitter().setMaxListeners(handlers)
    let handled = 0
    for (let n = 0; n < handlers; n++) emitter.on("TaskCreated", () => void handled++)
    return perSecond((times) => {
      const before = handled
      for (let n = 0; n < times; n++) emitter.emit("TaskCreated", { taskId: "t-1", title: "Write" })
      if (handled - before !== times * handlers) throw new Error(`${times} emitted, ${handled - before} handled`)
      return Promise.resolve()
    })
  }

const text = JSON.stringify({ taskId: "t-1", title: "Write" })

const ioredis = async (url: string, heard: () => void): Promise<Link> => {
  const [sender, listener] = [new Redis(url), new Redis(url)]
  listener.on("message", heard)
  await listener.subscribe("tasks")
  return () => sender.publish("tasks", text)
}

const nodePostgres = async (url: string, heard: () => void): Promise<Link> => {
  const [sender, listener] = [new pg.Pool({ connectionString: url }), new pg.Client({ connectionString: url })]
  await listener.connect()
  listener.on("notification", heard)
  await listener.query("listen tasks")
  let n = 0
  return () => sender.query("select pg_notify('tasks', $1)", [`${n++} ${text}`])
}

export const redisHop: Contender = hop("redis", ioredis)
export const redisHops: Contender = hops("redis", ioredis)
export const postgresHop: Contender = hop("database", nodePostgres)
export const postgresHops: Contender = hops("database", nodePostgres)
