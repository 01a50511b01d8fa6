/**
 * The same text to all clients: by hand over Node's http and ws, and by better-sse.
 */
import { createChannel, createSession } from "better-sse"
import * as http from "node:http"
import { WebSocketServer } from "ws"
import { text } from "./liveClients.ts"
import type { Server } from "./liveLoad.ts"

// What an event of ours is on the wire.
const event = (position: number) =>
  JSON.stringify({
    position,
    stream: "Tick-1",
    version: 1,
    id: "0194d2a0-7c9b-7b52-a2c5-8f1f2d3e4a5b",
    type: "Ticked",
    schemaVersion: 1,
    tags: ["tenant"],
    recordedAt: 1_760_000_000_000,
    data: { text }
  })

const listen = (server: http.Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  })

/** One write for each event and client. */
export const bareSse = async (): Promise<Server> => {
  const clients = new Set<http.ServerResponse>()
  const server = http.createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(":\n\n")
    clients.add(response)
  })
  let position = 0
  return {
    port: await listen(server),
    publish: (events) => {
      for (let n = 0; n < events; n++) {
        position++
        const frame = Buffer.from(`id: ${position}\ndata: ${event(position)}\n\n`)
        for (const client of clients) client.write(frame)
      }
    }
  }
}

export const betterSse = async (): Promise<Server> => {
  const channel = createChannel()
  const server = http.createServer((request, response) => {
    void createSession(request, response).then((session) => {
      channel.register(session)
      session.push("connected")
    })
  })
  let position = 0
  return {
    port: await listen(server),
    publish: (events) => {
      for (let n = 0; n < events; n++) {
        position++
        channel.broadcast(JSON.parse(event(position)), "message", { eventId: `${position}` })
      }
    }
  }
}

/** One message for each event and client, without compression. */
export const bareWs = async (): Promise<Server> => {
  const server = http.createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on("connection", (socket) => socket.send("{}"))
  let position = 0
  return {
    port: await listen(server),
    publish: (events) => {
      for (let n = 0; n < events; n++) {
        position++
        const message = `{"type":"events","id":"1","cursor":"${position}","events":[${event(position)}]}`
        for (const socket of sockets.clients) socket.send(message)
      }
    }
  }
}
