// The board in a browser: a list that was asked for once, the events that came since, and what was not sent yet.
const at = (id) => document.getElementById(id)

/** @type {Map<string, { taskId: string, title: string, by: string, isDone: boolean }>} */
let tasks = new Map()
let me
let source
let cursor = ""
let isLive = false
let isLoaded = false
let early = []

// What was done while there was no connection is kept, under an id that makes it count once.
const outbox = {
  key: () => `outbox ${me.user}@${me.tenant}`,
  all: () => JSON.parse(localStorage.getItem(outbox.key()) ?? "[]"),
  set: (all) => localStorage.setItem(outbox.key(), JSON.stringify(all))
}

const apply = {
  TaskAdded: ({ taskId, title, by }) => tasks.set(taskId, { taskId, title, by, isDone: false }),
  TaskCompleted: ({ taskId }) => change(taskId, true),
  TaskReopened: ({ taskId }) => change(taskId, false)
}

const change = (taskId, isDone) => {
  const task = tasks.get(taskId)
  if (task !== undefined) tasks.set(taskId, { ...task, isDone })
}

// Asked for after the stream of events has begun, so that nothing lies between them; an event that the list holds changes nothing.
const load = async (position) => {
  const response = await fetch(`/tasks?upTo=${position}`, { signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`The list is refused: ${response.status}`)
  tasks = new Map((await response.json()).map((task) => [task.taskId, task]))
}

const begin = async (position) => {
  try {
    await load(position)
    isLoaded = true
    for (const event of early) apply[event.type]?.(event.data)
    early = []
    render()
  } catch {
    cursor = ""
    again()
  }
}

const connect = () => {
  if (cursor === "") {
    isLoaded = false
    early = []
  }
  source = new EventSource(cursor === "" ? "/events" : `/events?after=${encodeURIComponent(cursor)}`)

  source.addEventListener("connected", ({ data, lastEventId }) => {
    if (!isLoaded) void begin(JSON.parse(data).position)
    cursor ||= lastEventId
    isLive = true
    render()
    void send()
  })
  source.addEventListener("cursor", ({ lastEventId }) => (cursor = lastEventId))
  // The log is another one: what is shown here may be wrong.
  source.addEventListener("reset", ({ data, lastEventId }) => {
    cursor = lastEventId
    isLoaded = false
    early = []
    void begin(JSON.parse(data))
  })
  source.addEventListener("message", ({ data, lastEventId }) => {
    cursor = lastEventId
    const event = JSON.parse(data)
    if (isLoaded) apply[event.type]?.(event.data)
    else early.push(event)
    render()
  })
  source.addEventListener("error", () => {
    isLive = false
    render()
    // A browser comes back by itself after a lost connection, and not after a refusal.
    if (source.readyState === EventSource.CLOSED) again()
  })
}

let waiting
const again = () => {
  source.close()
  clearTimeout(waiting)
  waiting = setTimeout(connect, 1000 + Math.random() * 1000)
}

// One after the other, in their order; what the server does not answer stays.
let sending = false
const send = async () => {
  if (sending) return
  sending = true
  try {
    for (let [first] = outbox.all(); first !== undefined; [first] = outbox.all()) {
      const response = await fetch(first.path, {
        method: first.method,
        headers: { "content-type": "application/json", "idempotency-key": first.id },
        body: JSON.stringify(first.body),
        signal: AbortSignal.timeout(10_000)
      })
      if (response.status >= 500 || response.status === 429) throw new Error(`${response.status}`)
      outbox.set(outbox.all().filter(({ id }) => id !== first.id))
      if (response.status === 401) return entrance()
      if (!response.ok) at("trouble").textContent = (await response.json()).title ?? "The server refused it"
    }
  } catch {
    clearTimeout(retrying)
    retrying = setTimeout(send, 2000)
  } finally {
    sending = false
    render()
  }
}
let retrying

const submit = (event, method, path, body = {}) => {
  at("trouble").textContent = ""
  outbox.set([...outbox.all(), { id: crypto.randomUUID(), event, method, path, body }])
  render()
  void send()
}

const render = () => {
  if (me === undefined) return
  const waiting = outbox.all()
  const pending = new Set(waiting.map(({ event }) => event.data.taskId))
  // What is not sent yet is shown on top of what the server has said.
  const before = tasks
  tasks = new Map(tasks)
  for (const { event } of waiting)
    if (event.type !== "TaskAdded" || !tasks.has(event.data.taskId)) apply[event.type](event.data)
  const shown = Array.from(tasks.values())
  tasks = before

  for (const [list, isDone] of [
    ["open", false],
    ["done", true]
  ]) {
    const rows = shown.filter((task) => task.isDone === isDone).map((task) => row(task, pending.has(task.taskId)))
    at(list).replaceChildren(...rows)
    at(`${list}-count`).textContent = rows.length === 0 ? "" : rows.length
  }
  at("status").className = isLive ? "live" : ""
  at("status").textContent = isLive
    ? waiting.length === 0
      ? "Live"
      : "Sending"
    : waiting.length === 0
      ? "Offline"
      : `Offline, ${waiting.length} kept`
}

const rows = new Map()
const row = ({ by, isDone, taskId, title }, isPending) => {
  const key = `${taskId} ${isDone}`
  let item = rows.get(key)
  if (item === undefined) {
    item = document.createElement("li")
    const button = document.createElement("button")
    button.setAttribute("aria-label", `${isDone ? "Reopen" : "Complete"} ${title}`)
    button.addEventListener("click", () =>
      isDone
        ? submit({ type: "TaskReopened", data: { taskId } }, "POST", `/tasks/${taskId}/reopen`)
        : submit({ type: "TaskCompleted", data: { taskId } }, "POST", `/tasks/${taskId}/complete`)
    )
    const text = document.createElement("b")
    text.textContent = title
    const who = document.createElement("small")
    who.textContent = by
    item.append(button, text, who)
    rows.set(key, item)
  }
  item.classList.toggle("pending", isPending)
  return item
}

const entrance = () => {
  source?.close()
  me = undefined
  at("board").hidden = true
  at("entrance").hidden = false
}

const enter = (session) => {
  me = session
  tasks = new Map()
  rows.clear()
  cursor = ""
  at("entrance").hidden = true
  at("board").hidden = false
  at("tenant").textContent = me.tenant
  at("user").textContent = me.user
  render()
  connect()
}

at("add").addEventListener("submit", (event) => {
  event.preventDefault()
  const taskId = crypto.randomUUID()
  const title = at("title").value.trim()
  if (title === "") return
  at("title").value = ""
  submit({ type: "TaskAdded", data: { taskId, title, by: me.user } }, "PUT", `/tasks/${taskId}`, { title })
})

const leave = async () => {
  await fetch("/session", { method: "DELETE" })
  entrance()
}
at("leave").addEventListener("click", () => void leave())

const logIn = async (user) => {
  const response = await fetch("/session", { method: "POST", body: JSON.stringify({ user }) })
  if (response.ok) enter(await response.json())
}
for (const button of document.querySelectorAll("[data-user]")) {
  button.addEventListener("click", () => void logIn(button.dataset.user))
}

window.addEventListener("online", () => {
  if (me === undefined) return
  source.close()
  connect()
})
window.addEventListener("offline", () => {
  isLive = false
  render()
})

const session = await fetch("/session")
if (session.ok) enter(await session.json())
else entrance()
