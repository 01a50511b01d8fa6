/** Lets so many in at a time. Those who wait are of keys, and the keys take turns. */
export interface Waiter {
  readonly key: string
  /** Whether it was let in. */
  entered: boolean
  wake: () => void
}

export class Turnstile {
  running = 0
  waiting = 0
  private readonly limit: number
  private readonly room: number
  // Keys in the order of their turns; the first to wait of each goes first.
  private readonly queues = new Map<string, Set<Waiter>>()

  constructor(limit: number, room: number) {
    this.limit = limit
    this.room = room
  }

  /** Lets in who comes, if it need not wait; who has entered must leave. */
  enter(): boolean {
    if (this.running >= this.limit) return false
    this.running++
    return true
  }

  /** A place among those who wait, if there is one. */
  queue(key: string): Waiter | undefined {
    if (this.waiting >= this.room) return undefined
    const waiter: Waiter = { key, entered: false, wake: () => undefined }
    this.waiting++
    const queue = this.queues.get(key)
    if (queue === undefined) this.queues.set(key, new Set([waiter]))
    else queue.add(waiter)
    return waiter
  }

  /** Who waited waits no more, or who had just been let in leaves. */
  giveUp(waiter: Waiter): void {
    if (waiter.entered) return this.leave()
    this.take(waiter)
  }

  leave(): void {
    const [turn] = this.queues
    const [next] = turn?.[1] ?? []
    if (next === undefined) {
      this.running--
      return
    }
    const rest = this.take(next)
    // Its key has had its turn.
    if (rest !== undefined) {
      this.queues.delete(next.key)
      this.queues.set(next.key, rest)
    }
    next.entered = true
    next.wake()
  }

  /** Takes a waiter out; the others of its key, if there are any. */
  private take(waiter: Waiter): Set<Waiter> | undefined {
    const queue = this.queues.get(waiter.key)
    if (queue?.delete(waiter) !== true) return undefined
    this.waiting--
    if (queue.size > 0) return queue
    this.queues.delete(waiter.key)
    return undefined
  }
}
