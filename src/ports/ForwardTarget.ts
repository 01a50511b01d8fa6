/**
 * Where a log is forwarded to, so that groups in other programs handle its events.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Sending } from "./EventGroupsDriver.ts"

/**
 * What a broker gives to who forwards a log: `EventForwarding` uses it.
 *
 * **Details**
 *
 * Every segment has a mark, which moves together with what is added: after a broker has lost what it had acknowledged its mark
 * is where it was before, and the forwarder goes back to it.
 *
 * @category services
 * @since 0.1.0
 */
export class ForwardTarget extends Context.Service<ForwardTarget, Sending>()("effect-cqrs/ports/ForwardTarget") {}
