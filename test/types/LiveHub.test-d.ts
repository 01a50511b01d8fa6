// Channels of several processes need a bus that other processes hear.
// @effect-diagnostics missingEffectContext:off missingLayerContext:off
import { Layer } from "effect"
import { EventBus, LiveHub, SystemContext } from "../../src/index.ts"
import { build } from "./run.ts"

declare const shared: Layer.Layer<EventBus.EventBus | EventBus.AcrossProcesses>

const channels = LiveHub.layerBus().pipe(Layer.provide(SystemContext.layer("channels of all tenants")))
build(channels.pipe(Layer.provide(shared)))
// @ts-expect-error: Type 'AcrossProcesses' is not assignable to type 'never'
build(channels.pipe(Layer.provide(EventBus.layerMemory)))
