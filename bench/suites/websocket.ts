/**
 * The log to clients over WebSockets: what a process delivers, and what a connection costs.
 */
import type { Suite } from "../harness.ts"
import { bursts, held, latency } from "../peers/liveLoad.ts"
import { bareWs } from "../peers/livePeers.ts"
import * as Ours from "./live/ours.ts"

const first = JSON.stringify({ type: "subscribe", id: "1", channels: ["tenant"] })
const socket = { path: "/ws", webSocket: true, first }
const silent = { ...socket, first: "" }

const suite: Suite = [
  {
    name: "WebSocket, 100 events at once to 100 clients",
    unit: "deliveries/s",
    target: { ratio: 0.6 },
    ours: bursts(Ours.start, socket, 100, 100),
    peers: { ws: bursts(bareWs, silent, 100, 100) }
  },
  {
    name: "WebSocket, one event at a time to 100 clients",
    unit: "deliveries/s",
    target: { ratio: 0.6 },
    ours: bursts(Ours.start, socket, 100, 1),
    peers: { ws: bursts(bareWs, silent, 100, 1) }
  },
  {
    name: "WebSocket, 10,000 connections: memory each",
    unit: "KiB",
    less: true,
    also: { [latency]: { unit: "ms", less: true } },
    ours: held(Ours.start, socket, 10_000),
    peers: { ws: held(bareWs, silent, 10_000) }
  }
]

export default suite
