/** What has become of a locked schema: each difference as a finding that says what is wrong and what to do. */
import * as Equal from "effect/Equal"
import * as ShapeChange from "../../domain/ShapeChange.ts"
import * as Model from "./lockModel.ts"

type Finding = Model.Finding
type Place = Partial<Pick<Finding, "version" | "field" | "fix">>

const found = (kind: Finding["kind"], event: string, message: string, place: Place = {}): Finding => ({
  kind,
  breaking: Model.breaking.some((one) => one === kind),
  event,
  ...place,
  message
})

export const compare = (before: Model.Lock, now: Model.Lock): ReadonlyArray<Finding> => [
  ...Object.entries(before.events).flatMap(([type, was]) => {
    const is = now.events[type]
    return is === undefined ? gone(type, was, before, now) : [...changed(type, was, is), ...parts(type, was, is)]
  }),
  ...Object.entries(now.events).flatMap(([type, { is }]) =>
    is === "event" && before.events[type] === undefined ? [found("event-added", type, `${type} is new`)] : []
  )
]

const gone = (type: string, was: Model.Entry, before: Model.Lock, now: Model.Lock): ReadonlyArray<Finding> => {
  const shape = was.versions[Model.newest(was.versions)]
  const renamed = Object.entries(now.events).find(
    ([tag, { is, versions }]) =>
      was.is === "event" &&
      is === "event" &&
      before.events[tag] === undefined &&
      Equal.equals(versions[Model.newest(versions)], shape)
  )?.[0]
  if (renamed !== undefined) {
    return [
      found(
        "event-renamed",
        type,
        `${type} is gone, and ${renamed} has its fields: what was stored as ${type} is not read`,
        {
          fix: `Add Upcaster.formerly("${type}", ...) to the upcasters of ${renamed}`
        }
      )
    ]
  }
  const meaning = was.is === "former" || was.is === "joined" ? `, which was read as ${was.event},` : ""
  return [
    found("event-removed", type, `${type}${meaning} is gone: what was stored as ${type} is not read`, {
      fix:
        was.is === "retired"
          ? `Keep Event.retired("${type}") among the events`
          : `Keep the class, or list Event.retired("${type}") if it means nothing any more, or read it as another event with Upcaster.formerly("${type}", ...)`
    })
  ]
}

const changed = (type: string, was: Model.Entry, is: Model.Entry): ReadonlyArray<Finding> => {
  if (was.is === "retired") {
    if (is.is === "retired") return []
    return [
      found("tag-reused", type, `${type} was retired, and is an event again: what it was is still in the log`, {
        fix: `Give the new event another tag, and keep Event.retired("${type}")`
      })
    ]
  }
  if (is.is === "retired") return [found("event-retired", type, `${type} is retired: it is dropped when it is read`)]
  if (is.is === "part" && was.is !== "part") {
    return [
      found("event-removed", type, `${type} is gone: only parts of what was stored as ${type} are read`, {
        fix: `Keep the class, or read it as another event with Upcaster.formerly("${type}", ...)`
      })
    ]
  }
  const [older, newer] = [Model.newest(was.versions), Model.newest(is.versions)]
  if (is.is === "event" && newer < older) {
    return [
      found("version-decreased", type, `${type} was stored in version ${older}, and is version ${newer} now`, {
        version: older,
        fix: "Put the upcasters back that led to it: a version never goes down"
      })
    ]
  }
  const moved =
    was.is === is.is && was.event === is.event
      ? []
      : [found("event-moved", type, `${type} is read as ${is.is === "event" ? type : is.event} now`)]
  const added = Array.from({ length: Math.max(0, newer - older) }, (_, index) =>
    found("version-added", type, `${type} has a version ${older + index + 1}, and upcasters to it`, {
      version: older + index + 1
    })
  )
  return [...moved, ...versions(type, was.versions, is.versions, is.is === "event" ? newer : undefined), ...added]
}

const versions = (
  type: string,
  was: Model.Versions,
  is: Model.Versions,
  today: number | undefined
): ReadonlyArray<Finding> =>
  Object.entries(was).flatMap(([key, before]) => {
    const version = Number(key)
    const now = is[key]
    if (now === undefined) {
      return [
        found("version-removed", type, `${type} version ${version} can no longer be read`, {
          version,
          fix: `Describe version ${version} again, between the versions around it`
        })
      ]
    }
    return ShapeChange.between(before, now).map((change) => ofField(type, version, version === today, change))
  })

const ofField = (type: string, version: number, isToday: boolean, change: ShapeChange.Change): Finding => {
  const { kind, message, path: field } = change
  const text = `${type} version ${version}: ${field} ${message}`
  switch (kind) {
    case "removed":
      return found("field-removed", type, text, { version, field, fix: fix(version, isToday, "") })
    case "required":
      return found("field-required", type, text, {
        version,
        field,
        fix: fix(version, isToday, "Make it optional, or ")
      })
    case "changed":
      return found("field-changed", type, text, { version, field, fix: fix(version, isToday, "") })
    case "added":
      return found("field-added", type, text, { version, field })
    case "widened":
      return found("field-widened", type, text, { version, field })
  }
}

const fix = (version: number, isToday: boolean, or: string): string => {
  const text = isToday
    ? `make today's fields version ${version + 1}: describe version ${version} as it was with Upcaster.from or next, and how it becomes today's`
    : `give version ${version} the fields back that it was stored with`
  const whole = `${or}${text}`
  return whole.charAt(0).toUpperCase() + whole.slice(1)
}

const parts = (type: string, was: Model.Entry, is: Model.Entry): ReadonlyArray<Finding> =>
  is.is === "retired"
    ? []
    : Object.entries(was.parts ?? {}).flatMap(([tag, before]) => {
        const now = is.parts?.[tag]
        const lost = (version: number) =>
          found("part-removed", type, `${tag} no longer has its part of ${type} version ${version}`, {
            version,
            fix: `Describe version ${version} again in Upcaster.partOf("${type}", ...) of ${tag}`
          })
        if (now === undefined) return [lost(Model.newest(before))]
        return versions(type, before, now, undefined).map((one) =>
          one.kind === "version-removed"
            ? lost(one.version ?? 0)
            : { ...one, message: `${tag}, part of ${one.message}` }
        )
      })
