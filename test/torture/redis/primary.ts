/**
 * A Redis that is always at the same address, whichever server is the primary: killed, emptied, and replaced by a replica that
 * lacks what was acknowledged last.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import * as net from "node:net"
import * as servers from "../../services/servers.ts"

type Server = Awaited<ReturnType<typeof servers.redis>>

/** It waits for no other replicas before one gets its data. */
const soon = ["--repl-diskless-sync-delay", "0"]

export class Primary {
  readonly done: Record<string, number> = {}
  /** Positions that were acknowledged and lost, over all segments. */
  lost = 0
  private server: Server
  private readonly log: string
  private readonly door: net.Server
  private readonly sockets = new Set<net.Socket>()

  private constructor(server: Server, log: string, door: net.Server) {
    this.server = server
    this.log = log
    this.door = door
    door.on("connection", (socket) => this.forward(socket))
  }

  static async start(log: string): Promise<Primary> {
    const server = await servers.redis({ args: soon, durable: true })
    const door = net.createServer()
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve))
    return new Primary(server, log, door)
  }

  get url(): string {
    const address = this.door.address()
    return `redis://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }

  async command(...[name = "", ...args]: ReadonlyArray<string>): Promise<void> {
    await this.asking(this.server, (client) => client.call(name, args))
  }

  async kill(): Promise<void> {
    await this.server.kill()
    await new Promise((resolve) => setTimeout(resolve, 150))
    await this.server.restart()
  }

  /** A replica that heard nothing for a while becomes the primary, and the one before is gone; so much is lost, if it comes soon. */
  async promote(least = 0): Promise<void> {
    const former = this.server
    const replica = await servers.redis({ args: soon, durable: true })
    await this.asking(replica, async (client) => {
      await client.replicaof("127.0.0.1", former.port)
      while (!String(await client.info("replication")).includes("master_link_status:up")) {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await client.replicaof("NO", "ONE")
    })
    let lost = 0
    for (let tries = 0; tries === 0 || (lost < least && tries < 40); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 250))
      lost = Math.max(0, (await this.forwarded(former)) - (await this.forwarded(replica)))
    }
    this.lost += lost
    this.server = replica
    for (const socket of this.sockets) socket.destroy()
    await former.stop()
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.door.close(resolve))
    await this.server.stop()
  }

  private async forwarded(server: Server): Promise<number> {
    const keys = Array.from({ length: 16 }, (_, segment) => `effect-cqrs:log:{${this.log}/${segment}}:mark`)
    const marks = await this.asking(server, (client) => Promise.all(keys.map((key) => client.get(key))))
    return marks.reduce((sum, mark) => sum + Number(mark ?? 0), 0)
  }

  private async asking<A>(server: Server, use: (client: Redis) => Promise<A>): Promise<A> {
    const client = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: null })
    // What fails is told by the command.
    client.on("error", () => undefined)
    try {
      return await use(client)
    } finally {
      client.disconnect()
    }
  }

  private forward(socket: net.Socket): void {
    const inner = net.connect(this.server.port, "127.0.0.1")
    const end = () => {
      this.sockets.delete(socket)
      socket.destroy()
      inner.destroy()
    }
    this.sockets.add(socket)
    for (const one of [socket, inner]) one.on("error", end).on("close", end)
    socket.pipe(inner).pipe(socket)
  }
}

export const start = (log: string): Effect.Effect<Primary, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => Primary.start(log)),
    (primary) => Effect.promise(() => primary.stop())
  )

/** What can be done to it, by name; what is on its way meanwhile may fail. */
export const harms = (primary: Primary): Readonly<Record<string, Effect.Effect<unknown>>> => {
  const doing = (name: string, work: () => Promise<unknown>) =>
    Effect.promise(async () => {
      // A command that ends connections may end its own.
      await work().catch((error: unknown) => {
        if (!/closed|EPIPE|ECONNRESET/.test(String(error))) throw error
      })
      primary.done[name] = (primary.done[name] ?? 0) + 1
    })
  const all = {
    "connections killed": () => primary.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    "listeners killed": () => primary.command("CLIENT", "KILL", "TYPE", "pubsub"),
    "everything deleted": () => primary.command("FLUSHALL"),
    hangs: () => primary.command("DEBUG", "SLEEP", "0.7"),
    "scripts forgotten": () => primary.command("SCRIPT", "FLUSH"),
    "servers killed": () => primary.kill(),
    "replicas promoted": () => primary.promote()
  }
  return Object.fromEntries(Object.entries(all).map(([name, work]) => [name, doing(name, work)]))
}
