/**
 * Flows: what one request has set in motion, as a tree of commands, events, handlers and how they ended.
 *
 * @since 0.1.0
 */
import type { Stored } from "./RecordedEvent.ts"
import { text as textOf } from "./internal/flowText.ts"
import { svg as svgOf } from "./internal/flowSvg.ts"

/**
 * How handling ended: `Refused` with the tag of an expected error, `Failed` by a defect or an interruption. `attempts` counts
 * from 1, and `millis` is how long the last of them took.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome {
  readonly _tag: "Succeeded" | "Refused" | "Failed"
  readonly error?: string | undefined
  readonly millis: number
  readonly attempts: number
}

/**
 * One message of a flow, or a handler of an event, whose cause is that event. `at` is in milliseconds since 1970; `place` is
 * the stream and version of an event, or the queue of a `message` that leaves by an outbox. There is no payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly id: string
  readonly kind: Kind
  readonly name: string
  readonly causationId?: string | undefined
  readonly at: number
  readonly place?: string | undefined
  readonly outcome?: Outcome | undefined
}

/**
 * What a step is: what was dispatched, what was appended, what handled an event, and what left by an outbox.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "command" | "query" | "event" | "handler" | "message"

/**
 * A step and what it caused, in the order of time. A `step` that is `undefined` is a cause that nothing is known of but its
 * `id`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node {
  readonly id: string
  readonly step: Step | undefined
  readonly children: ReadonlyArray<Node>
}

/**
 * All that has one correlation id; `roots` is empty when nothing is known of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Flow {
  readonly correlationId: string
  readonly roots: ReadonlyArray<Node>
}

/**
 * The tree of steps that came in any order.
 *
 * **Details**
 *
 * Each step is in the tree once, however often it is given, as the one that {@link supersedes} the others. What has a cause that is
 * not given stands below a node of that cause without a step. Steps that cause each other in a circle begin at the earliest.
 *
 * **Example** (A command and its event)
 *
 * ```ts
 * import { Flow } from "effect-cqrs"
 *
 * const flow = Flow.make("r-1", [
 *   { id: "e", kind: "event", name: "TaskCreated", causationId: "c", at: 2, place: "Task-1@1" },
 *   { id: "c", kind: "command", name: "CreateTask", at: 1, outcome: { _tag: "Succeeded", millis: 4, attempts: 1 } }
 * ])
 * Flow.toText(flow).split("\n") // => ["flow r-1", "└─ command CreateTask: succeeded in 4 ms", "   └─ event TaskCreated (Task-1@1)"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (correlationId: string, steps: Iterable<Step>): Flow => {
  const known = new Map<string, Step>()
  for (const step of steps) {
    const before = known.get(step.id)
    if (before === undefined || supersedes(step, before)) known.set(step.id, step)
  }
  const ordered = [...known.values()].sort(inTime)
  const caused = new Map<string, Array<Step>>()
  const starts: Array<string> = []
  for (const { causationId, id } of ordered) {
    const step = known.get(id)
    if (step === undefined) continue
    if (causationId === undefined) starts.push(id)
    else {
      const siblings = caused.get(causationId)
      if (siblings === undefined) caused.set(causationId, [step])
      else siblings.push(step)
      if (!known.has(causationId) && siblings === undefined) starts.push(causationId)
    }
  }
  const placed = new Set<string>()
  const grow = (start: string): Node => {
    interface Growing extends Node {
      readonly children: Array<Growing>
    }
    const begin = (id: string): Growing => {
      placed.add(id)
      return { id, step: known.get(id), children: [] }
    }
    const root = begin(start)
    // A list rather than recursion: a chain of causes may be longer than the stack is deep.
    const open = [root]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const { id } of caused.get(node.id) ?? []) {
        if (placed.has(id)) continue
        const child = begin(id)
        node.children.push(child)
        open.push(child)
      }
    }
    return root
  }
  const roots = starts.map(grow)
  for (const { id } of ordered) if (!placed.has(id)) roots.push(grow(id))
  return { correlationId, roots }
}

/**
 * Whether a step that is given again says more than before: it has more attempts, or as many and succeeded at last. A
 * success is told after its commit, so what is told beside it came from a commit that failed.
 *
 * @category comparisons
 * @since 0.1.0
 */
export const supersedes = (step: Step, before: Step): boolean =>
  attempts(step) > attempts(before) ||
  (attempts(step) === attempts(before) && hasSucceeded(step) && !hasSucceeded(before))

/**
 * A stored event as a step.
 *
 * @category conversions
 * @since 0.1.0
 */
export const ofEvent = (stored: Omit<Stored, "data">): Step => ({
  id: stored.id,
  kind: "event",
  name: stored.type,
  causationId: stored.metadata.causationId,
  at: stored.metadata.occurredAt,
  place: `${stored.stream}@${stored.version}`
})

/**
 * A flow as lines of text, the same for the same flow.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (self: Flow): string => textOf(self)

/**
 * A flow as one SVG document that needs nothing else, and is readable on light and on dark. It is the same for the same flow,
 * and what the names hold is escaped.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toSvg = (self: Flow): string => svgOf(self)

const attempts = ({ outcome }: Step): number => outcome?.attempts ?? 0

const hasSucceeded = ({ outcome }: Step): boolean => outcome?._tag === "Succeeded"

const inTime = (a: Step, b: Step): number => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
