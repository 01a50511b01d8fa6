import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Aggregate from "../../src/domain/Aggregate.ts"
import * as Command from "../../src/domain/Command.ts"
import * as Decider from "../../src/domain/Decider.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Fold from "../../src/domain/Fold.ts"
import * as Assert from "../../src/testing/Assert.ts"
import * as DeciderSpec from "../../src/testing/DeciderSpec.ts"

class ItemAdded extends Event.Class<ItemAdded>()("ItemAdded", { sku: Schema.String }) {}
class CheckedOut extends Event.Class<CheckedOut>()("CheckedOut", { items: Schema.Int }) {}
class Unrelated extends Event.Class<Unrelated>()("Unrelated", {}) {}

class CartEmpty extends Schema.TaggedError<CartEmpty>()("CartEmpty", {}) {}
class CartClosed extends Schema.TaggedError<CartClosed>()("CartClosed", { items: Schema.Int }) {}

interface State {
  readonly items: ReadonlyArray<string>
  readonly closed: boolean
}
const initial: State = { items: [], closed: false }

const Cart = Aggregate.make("Cart", { events: [ItemAdded, CheckedOut], initial }).evolve({
  ItemAdded: (cart, { sku }) => ({ ...cart, items: [...cart.items, sku] }),
  CheckedOut: (cart) => ({ ...cart, closed: true })
})

class CheckOut extends Command.Class<CheckOut>()("CheckOut", {
  payload: { cartId: Schema.String },
  error: Schema.Union([CartEmpty, CartClosed])
}) {}

const checkOut = (_: CheckOut, { closed, items }: State) =>
  closed
    ? Result.fail(new CartClosed({ items: items.length }))
    : items.length === 0
      ? Result.fail(new CartEmpty())
      : Result.succeed([new CheckedOut({ items: items.length })])

const command = new CheckOut({ cartId: "c-1" })
const added = new ItemAdded({ sku: "apple" })
const out = new CheckedOut({ items: 1 })

const message = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    return error instanceof Assert.AssertionFailed ? error.message : `not an assertion: ${String(error)}`
  }
  return "it passed"
}

describe("DeciderSpec of an aggregate", () => {
  it("passes where what follows is what was expected", () => {
    const cart = DeciderSpec.given(Cart, [added])
    cart.thenState({ items: ["apple"], closed: false })
    cart
      .when(command, checkOut)
      .thenEvents([out])
      .thenState({ items: ["apple"], closed: true })
    DeciderSpec.given(Cart, []).when(command, checkOut).thenFails(new CartEmpty())
    DeciderSpec.given(Cart, [added, out])
      .when(command, checkOut)
      .thenFails(new CartClosed({ items: 1 }))
    DeciderSpec.given(Cart, [added])
      .when("nothing", () => Result.succeed([]))
      .thenEvents([])
  })

  it("says how the events differ", () => {
    const spec = DeciderSpec.given(Cart, [added, added]).when(command, checkOut)
    expect(message(() => spec.thenEvents([out]))).toBe(
      'The events that followed CheckOut({"_tag":"CheckOut","cartId":"c-1"})\n  [0].items: expected 1, got 2'
    )
    expect(message(() => spec.thenEvents([]))).toContain(
      '[0]: expected nothing, got CheckedOut({"_tag":"CheckedOut","items":2})'
    )
  })

  it("says how the state differs, before and after", () => {
    const cart = DeciderSpec.given(Cart, [added])
    expect(message(() => cart.thenState(initial))).toBe(
      'The state that the history leads to\n  items[0]: expected nothing, got "apple"'
    )
    expect(message(() => cart.when(command, checkOut).thenState({ items: ["apple"], closed: false }))).toContain(
      "closed: expected false, got true"
    )
  })

  it("says why a command was refused, or that it was not", () => {
    const empty = DeciderSpec.given(Cart, []).when(command, checkOut)
    expect(message(() => empty.thenEvents([out]))).toMatch(
      /^CheckOut\(.*\) was refused\n {2}expected the events \[CheckedOut\(.*\)\], got .*CartEmpty/
    )
    expect(message(() => empty.thenState(initial))).toContain("expected the state")
    expect(message(() => empty.thenFails(new CartClosed({ items: 0 })))).toMatch(
      /expected .*CartClosed.*, got .*CartEmpty/
    )
    const full = DeciderSpec.given(Cart, [added]).when(command, checkOut)
    expect(message(() => full.thenFails(new CartEmpty()))).toMatch(
      /was not refused\n {2}expected .*CartEmpty.*, got the events/
    )
  })

  it("does not compile with events, states, commands and reasons of others", () => {
    const cart = DeciderSpec.given(Cart, [added])
    const spec = cart.when(command, checkOut)
    expect(() => {
      // @ts-expect-error no event of a cart
      DeciderSpec.given(Cart, [new Unrelated()])
      // @ts-expect-error no event of a cart
      spec.thenEvents([new Unrelated()])
      // @ts-expect-error no state of a cart
      cart.thenState({ items: 1 })
      // @ts-expect-error no reason of this decision
      spec.thenFails("closed")
      // @ts-expect-error the decision is about another command
      cart.when("check out", checkOut)
      // @ts-expect-error the decision leads to an event that no cart has
      cart.when(command, () => Result.succeed([new Unrelated()]))
    }).toThrow()
  })
})

describe("DeciderSpec of others", () => {
  it("takes a decider, which decides by itself", () => {
    const counter = Decider.make({
      initial: 0,
      evolve: (count: number, event: { readonly by: number }) => count + event.by,
      decide: (by: number, count) => (count + by > 10 ? Result.fail("full") : Result.succeed([{ by }]))
    })
    DeciderSpec.given(counter, [{ by: 4 }])
      .when(5)
      .thenEvents([{ by: 5 }])
      .thenState(9)
    DeciderSpec.given(counter, [{ by: 4 }, { by: 5 }])
      .when(2)
      .thenFails("full")
    DeciderSpec.given(counter, []).thenState(0)
    expect(() => {
      // @ts-expect-error this decider takes numbers
      DeciderSpec.given(counter, []).when("five")
    }).not.toThrow()
  })

  it("takes a fold", () => {
    const skus = Fold.make({ events: [ItemAdded], initial: 0 }).evolve((count) => count + 1)
    DeciderSpec.given(skus, [added, added]).thenState(2)
  })
})
