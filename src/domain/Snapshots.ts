/**
 * How the state of an aggregate is kept, so that a load folds only the events since.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FieldIssue from "./FieldIssue.ts"
import * as Shape from "./Shape.ts"
import * as SnapshotPolicy from "./SnapshotPolicy.ts"

/**
 * What an aggregate declares about its snapshots.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out State> {
  /** How the state becomes JSON and back. */
  readonly state: Schema.Codec<State, unknown>
  /**
   * To be raised when the state means something else though its schema has the same shape: `evolve` changed, an upcaster was
   * corrected, a transformation computes another value. 1 when absent.
   */
  readonly version?: number | undefined
  /** When a snapshot is taken; `SnapshotPolicy.every(100)` when absent. */
  readonly policy?: SnapshotPolicy.SnapshotPolicy | undefined
}

/**
 * An aggregate's snapshots: when they are taken, and how the state is written and read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshots<in out State> {
  /**
   * What a snapshot carries, and must carry to be read: the declared version, and a digest of the shape of the state's JSON.
   */
  readonly schema: string
  readonly policy: SnapshotPolicy.SnapshotPolicy
  readonly encode: (state: State) => Result.Result<unknown, ReadonlyArray<FieldIssue.FieldIssue>>
  readonly decode: (json: unknown) => Result.Result<State, ReadonlyArray<FieldIssue.FieldIssue>>
}

/**
 * Why a kept snapshot is not used.
 *
 * **Details**
 *
 * - `schema`: another schema, or another version of it, wrote it.
 * - `corrupt`: its state does not fit the schema that it was written with.
 * - `history`: the stream has another event at its version, or none: it was restored from a backup, or tombstoned.
 * - `joined`: its last event can become one with the next, by a `Join`.
 *
 * @category models
 * @since 0.1.0
 */
export type Unusable = "schema" | "corrupt" | "history" | "joined"

/**
 * What came of comparing a snapshot with all events.
 *
 * **Details**
 *
 * - `Absent`: there is no snapshot.
 * - `Ignored`: there is one that loads do not use, and why.
 * - `Same`: snapshot and full fold agree, at the snapshot's version and at the stream's newest.
 * - `Different`: the first field, in the state's JSON, in which they do not, the version of the stream at which that is, and
 *   both values; `undefined` is an absent one.
 * - `Unfit`: the state that all events lead to does not fit its own schema.
 *
 * @category models
 * @since 0.1.0
 */
export type Verification =
  | { readonly _tag: "Absent" }
  | {
      readonly _tag: "Ignored"
      readonly version: number
      readonly because: Unusable
      readonly issues: ReadonlyArray<FieldIssue.FieldIssue>
    }
  | { readonly _tag: "Same"; readonly version: number }
  | {
      readonly _tag: "Different"
      readonly version: number
      readonly path: string
      readonly snapshot: unknown
      readonly full: unknown
    }
  | { readonly _tag: "Unfit"; readonly version: number; readonly issues: ReadonlyArray<FieldIssue.FieldIssue> }

/**
 * Declares snapshots; `Aggregate.make` does it with its option of the same name.
 *
 * **Example** (Another shape, another schema)
 *
 * ```ts
 * import { Snapshots } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * const first = Snapshots.make({ state: Schema.Struct({ items: Schema.Int }) })
 * const same = Snapshots.make({ state: Schema.Struct({ items: Schema.Int }).annotate({ title: "A cart" }) })
 * const other = Snapshots.make({ state: Schema.Struct({ items: Schema.Int, open: Schema.Boolean }) })
 * const second = Snapshots.make({ state: Schema.Struct({ items: Schema.Int }), version: 2 })
 *
 * same.schema === first.schema // => true
 * other.schema === first.schema // => false
 * second.schema === first.schema // => false
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <State>({ policy, state, version = 1 }: Options<State>): Snapshots<State> => {
  const codec = Schema.toCodecJson(state)
  const encode = Schema.encodeUnknownResult(codec, everyIssue)
  const decode = Schema.decodeUnknownResult(codec, everyIssue)
  const issues = ({ issue }: Schema.SchemaError) => FieldIssue.fromIssue(issue)
  return {
    schema: `${version}:${digest(JSON.stringify(Shape.of({ state })))}`,
    policy: policy ?? SnapshotPolicy.every(100),
    encode: (value) => Result.mapError(encode(value), issues),
    decode: (json) => Result.mapError(decode(json), issues)
  }
}

const everyIssue = { errors: "all" } as const

// 53 bits of two multiplicative hashes that feed on each other: not secret, only never the same by accident.
const digest = (text: string): string => {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    high = Math.imul(high ^ unit, 2654435761)
    low = Math.imul(low ^ unit, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36)
}
