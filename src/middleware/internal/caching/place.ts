/** The place of an answer to a question, whose tags are asked for when one is made. */
import type { Slot } from "../../../ports/QueryCacheDriver.ts"

export class Place<Q> implements Slot {
  readonly tenant: Slot["tenant"]
  readonly key: string
  readonly source: string | undefined
  readonly decode: Slot["decode"]
  private readonly question: Q
  private readonly tagsOf: (question: Q) => ReadonlyArray<string>
  private all: ReadonlyArray<string> | undefined

  constructor(
    tenant: Slot["tenant"],
    key: string,
    source: string | undefined,
    decode: Slot["decode"],
    question: Q,
    tagsOf: (question: Q) => ReadonlyArray<string>
  ) {
    this.tenant = tenant
    this.key = key
    this.source = source
    this.decode = decode
    this.question = question
    this.tagsOf = tagsOf
  }

  get tags(): ReadonlyArray<string> {
    return (this.all ??= this.tagsOf(this.question))
  }
}
