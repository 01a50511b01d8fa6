// Mails and webhooks leave with the transaction that decides them, in order per key, at least once; what fails is kept.
import { Effect, Layer, Logger, Schema } from "effect"
import { Inbox, Memory, Outbox, OutboxMessage, Relay, RelayError, UnitOfWork } from "effect-cqrs"
import { SystemContext, TenantContext } from "effect-cqrs"

class SendMail extends OutboxMessage.Class<SendMail>()(
  "SendMail",
  { to: Schema.String, subject: Schema.String },
  { key: ({ to }) => to }
) {}

// A receiver that knows repetitions by the key that it is given.
const receive = Inbox.once(
  "mailbox",
  (mail: { readonly id: string; readonly text: string }) => mail
)(({ text }) => Effect.sync(() => console.log("received:", text)))

const Mails = Relay.make("default", {
  messages: [SendMail],
  on: {
    SendMail: ({ subject, to }, { idempotencyKey }) =>
      Effect.gen(function* () {
        if (to === "nobody") return yield* RelayError.undeliverable("there is no such mailbox")
        const mail = { id: idempotencyKey, text: `${subject} for ${to}` }
        yield* receive(mail)
        // Sent twice, as happens when an answer is lost: the inbox lets it in once.
        yield* receive(mail)
      })
  }
})

const program = Effect.gen(function* () {
  const unit = yield* UnitOfWork.UnitOfWork
  const outbox = yield* Outbox.Outbox
  yield* unit.transaction(
    Outbox.enqueueAll(
      [
        { to: "ada", subject: "Welcome" },
        { to: "ada", subject: "First steps" },
        { to: "nobody", subject: "Welcome" }
      ].map((mail) => ({ message: new SendMail(mail) }))
    )
  )
  const never = Effect.andThen(Outbox.enqueue(new SendMail({ to: "bob", subject: "Welcome" })), Effect.fail("no"))
  yield* Effect.ignore(unit.transaction(never))

  const standing = outbox.counts("default")
  yield* Effect.repeat(Effect.delay(standing, "5 millis"), {
    until: ({ inFlight, pending }) => inFlight + pending === 0
  })
  for (const { data, error, status } of yield* outbox.list("default")) console.log(status, data, error)
})

const Live = Relay.layer(Mails).pipe(
  Layer.provide(SystemContext.layer("relays serve all tenants")),
  Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle))
)
// What the log says of the parked mail has its time and its id.
await Effect.runPromise(Effect.provide(program, Layer.provideMerge(Live, Logger.layer([]))))

// prints:
// received: Welcome for ada
// received: First steps for ada
// parked { to: 'nobody', subject: 'Welcome' } effect-cqrs/Undeliverable: It cannot be delivered: there is no such mailbox
