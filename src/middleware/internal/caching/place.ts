/** The place of a query's answer, whose tags are asked for when one is made. */
import type * as Message from "../../../domain/Message.ts"
import type { Slot } from "../../../ports/QueryCacheDriver.ts"

export class Place implements Slot {
  readonly tenant: Slot["tenant"]
  readonly key: string
  readonly source: string | undefined
  readonly decode: Slot["decode"]
  private readonly message: Message.Any
  private readonly tagsOf: (message: Message.Any) => ReadonlyArray<string>
  private all: ReadonlyArray<string> | undefined

  constructor(
    tenant: Slot["tenant"],
    key: string,
    source: string | undefined,
    decode: Slot["decode"],
    message: Message.Any,
    tagsOf: (message: Message.Any) => ReadonlyArray<string>
  ) {
    this.tenant = tenant
    this.key = key
    this.source = source
    this.decode = decode
    this.message = message
    this.tagsOf = tagsOf
  }

  get tags(): ReadonlyArray<string> {
    return (this.all ??= this.tagsOf(this.message))
  }
}
