/**
 * Where and how one message is served: by convention, or as it is said.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type * as Message from "../../domain/Message.ts"
import * as Texts from "./internal/texts.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

/**
 * @category models
 * @since 0.1.0
 */
export type Path = `/${string}`

/**
 * What is not as the convention has it: a command is `POST /commands/<its-tag>`, a query `GET /queries/<its-tag>`, or `POST`
 * where its payload has parts that a URL cannot carry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Route<out M extends Message.Any> {
  readonly method?: Method | undefined
  /** A path whose parts like `:taskId` are fields of the payload. */
  readonly path?: Path | undefined
  /** The status of success; 200 when absent. With 204 there is no body. */
  readonly status?: number | undefined
  /** The command creates what is found at this path, whose parts like `:taskId` are fields of the payload or of the answer: 201. */
  readonly created?: Path | undefined
  /** Served to everybody, and nobody is asked who it is. */
  readonly public?: boolean | undefined
  /** A part of the path before all others, like `v2`. */
  readonly version?: string | undefined
  /** One line for the description of the API. */
  readonly summary?: string | undefined
  readonly deprecated?: boolean | undefined
  /** The version of the stream that a query's answer shows: it becomes the `ETag`. */
  etag?(this: void, answer: Message.Success<M>): number | undefined
}

/**
 * A message's place in an API.
 *
 * @category models
 * @since 0.1.0
 */
export interface Endpoint {
  readonly message: Message.AnyClass
  readonly method: Method
  readonly path: Path
  readonly status: number
  readonly created: Path | undefined
  readonly public: boolean
  readonly summary: string | undefined
  readonly deprecated: boolean
  /** The fields that the path carries. */
  readonly inPath: ReadonlyMap<string, Texts.Texts>
  /** The fields that come behind the question mark; absent where there is a body. */
  readonly inQuery: ReadonlyMap<string, Texts.Texts> | undefined
  etag?(this: void, answer: unknown): number | undefined
}

/**
 * The tag of a message as a part of a path.
 *
 * **Example** (A tag)
 *
 * ```ts
 * import { Endpoint } from "effect-cqrs/http"
 *
 * Endpoint.kebab("CreateTask") // => "create-task"
 * Endpoint.kebab("ListHTTPRoutes2") // => "list-http-routes2"
 * ```
 *
 * @category conventions
 * @since 0.1.0
 */
export const kebab = (tag: string): string =>
  tag
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .toLowerCase()

/**
 * The names in a path that stand for fields.
 *
 * @category conventions
 * @since 0.1.0
 */
export const names = (path: string): ReadonlyArray<string> =>
  Array.from(path.matchAll(/:([A-Za-z_$][\w$]*)/g), ([, name]) => name ?? "")

/**
 * A message's place, by convention where its route says nothing.
 *
 * **Gotchas**
 *
 * It throws when the path names a field that the payload does not have, or that a path cannot carry.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (message: Message.AnyClass, route: Route<Message.Any> = {}): Endpoint => {
  const { kind, tag } = message
  const found = new Map(Object.entries(fieldsOf(message)).map(([name, field]) => [name, Texts.texts(field)]))
  const plain = `/${kind === "command" ? "commands" : "queries"}/${kebab(tag)}` as const
  const path: Path = route.version === undefined ? (route.path ?? plain) : `/${route.version}${route.path ?? plain}`
  const inPath = new Map<string, Texts.Texts>()
  for (const name of names(path)) {
    const carried = found.get(name)
    if (carried === undefined || carried.many) {
      throw new Error(
        `The path ${path} of ${tag} needs a field ${name} of the payload that is one text, number or boolean`
      )
    }
    inPath.set(name, carried)
  }
  const others = Array.from(found).filter(([name]) => !inPath.has(name))
  const flat = new Map(others.flatMap(([name, carried]) => (carried === undefined ? [] : [[name, carried] as const])))
  const method = route.method ?? (kind === "query" && flat.size === others.length ? "GET" : "POST")
  const bodiless = method === "GET" || method === "DELETE"
  if (bodiless && flat.size < others.length) {
    throw new Error(`${method} ${path} of ${tag} has no body, and a URL cannot carry all fields of the payload`)
  }
  const { created, etag, status } = route
  return {
    message,
    method,
    path,
    status: status ?? (created === undefined ? 200 : 201),
    created,
    public: route.public ?? false,
    summary: route.summary,
    deprecated: route.deprecated ?? false,
    inPath,
    inQuery: bodiless ? flat : undefined,
    ...(etag === undefined ? {} : { etag })
  }
}

/**
 * The fields of a message's payload.
 *
 * @category getters
 * @since 0.1.0
 */
export const fieldsOf = ({ fields }: Message.AnyClass): Readonly<Record<string, Message.Serializable>> =>
  Object.fromEntries(Object.entries(fields).flatMap(([name, field]) => (isPayload(name, field) ? [[name, field]] : [])))

// A message class takes no field that needs services.
const isPayload = (name: string, _field: Schema.Constraint): _field is Message.Serializable => name !== "_tag"
