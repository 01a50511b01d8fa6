/**
 * The log to clients as server-sent events: what a process delivers, and what a connection costs.
 */
import type { Suite } from "../harness.ts"
import { bursts, held, latency } from "../peers/liveLoad.ts"
import { bareSse, betterSse } from "../peers/livePeers.ts"
import * as Ours from "./live/ours.ts"

const sse = { path: "/sse", webSocket: false, first: "" }

const suite: Suite = [
  {
    name: "SSE, 100 events at once to 100 clients",
    unit: "deliveries/s",
    target: { ratio: 1.5 },
    ours: bursts(Ours.start, sse, 100, 100),
    peers: { "better-sse": bursts(betterSse, sse, 100, 100) },
    beside: { "http, a write each": bursts(bareSse, sse, 100, 100) }
  },
  {
    name: "SSE, one event at a time to 100 clients",
    unit: "deliveries/s",
    target: { ratio: 0.6 },
    ours: bursts(Ours.start, sse, 100, 1),
    peers: { "http, a write each": bursts(bareSse, sse, 100, 1) },
    beside: { "better-sse": bursts(betterSse, sse, 100, 1) }
  },
  {
    name: "SSE, 5,000 connections: memory each",
    unit: "KiB",
    less: true,
    target: { value: 16 },
    also: { [latency]: { unit: "ms", less: true } },
    ours: held(Ours.start, sse, 5_000),
    peers: { "http, a write each": held(bareSse, sse, 5_000), "better-sse": held(betterSse, sse, 5_000) }
  }
]

export default suite
