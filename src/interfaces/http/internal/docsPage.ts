/** The page that shows a description to people: complete in itself, without scripts. */
import type { ApiDocument, Content, Operation, Parameter, Reference, Response } from "../ApiDocument.ts"

const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

const code = (value: unknown): string => `<pre>${escape(JSON.stringify(value, null, 2))}</pre>`

const isReference = (value: object): value is Reference => "$ref" in value
const last = ($ref: string): string => $ref.slice($ref.lastIndexOf("/") + 1)

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2433; background: #fff }
h1 small { font-weight: 400; color: #67718a } h2 { margin-top: 2.5rem; text-transform: capitalize }
details { border: 1px solid #dde1ea; border-radius: 6px; margin: .4rem 0; padding: 0 .8rem }
details[open] { padding-bottom: .8rem } summary { cursor: pointer; padding: .5rem 0 }
summary b { display: inline-block; min-width: 4.5rem; font-family: ui-monospace, monospace }
code, pre { font: 13px/1.5 ui-monospace, monospace } pre { background: #f4f6fa; padding: .6rem; border-radius: 4px; overflow: auto }
table { border-collapse: collapse } td { padding: .15rem 1rem .15rem 0; vertical-align: top }
.GET { color: #1a7f4b } .POST { color: #1558c0 } .PUT, .PATCH { color: #a15c00 } .DELETE { color: #b3261e } del { color: #67718a }
@media (prefers-color-scheme: dark) { body { color: #dfe4ee; background: #12161f } pre { background: #1b2130 } details { border-color: #333c50 } }
`

/** The page as HTML. */
export const html = (api: ApiDocument): string => {
  const { components, info, paths, tags } = api
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation }))
  )
  const section = ({ name }: { readonly name: string }) => {
    const found = operations.filter(({ operation }) => operation.tags.includes(name))
    return found.length === 0 ? "" : `<h2>${escape(name)}</h2>${found.map(shown).join("")}`
  }
  const shown = ({
    method,
    operation,
    path
  }: (typeof operations)[number]) => `<details id="${escape(operation.operationId)}">
<summary><b class="${method}">${method}</b> <code>${operation.deprecated === true ? `<del>${escape(path)}</del>` : escape(path)}</code>
 ${escape(operation.summary ?? operation.operationId)}</summary>${body(operation)}</details>`
  const body = (operation: Operation) =>
    [
      operation.description === undefined ? "" : `<p>${escape(operation.description)}</p>`,
      operation.security.length === 0 ? "<p>Open to everybody.</p>" : "",
      table(operation.parameters),
      operation.requestBody === undefined ? "" : `<h4>Body</h4>${content(operation.requestBody.content)}`,
      ...Object.entries(operation.responses).map(([status, response]) => answer(status, response))
    ].join("")
  const table = (parameters: Operation["parameters"]) => {
    const rows = parameters.flatMap((one): ReadonlyArray<Parameter> => {
      const parameter = isReference(one) ? components.parameters[last(one.$ref)] : one
      return parameter === undefined ? [] : [parameter]
    })
    const row = ({ description, in: place, name, required, schema }: Parameter) =>
      `<tr><td><code>${escape(name)}</code></td><td>${place}${required ? ", required" : ""}</td><td>${escape(
        description ?? JSON.stringify(schema)
      )}</td></tr>`
    return rows.length === 0 ? "" : `<h4>Parameters</h4><table>${rows.map(row).join("")}</table>`
  }
  const answer = (status: string, given: Response | Reference) => {
    const response = isReference(given) ? components.responses[last(given.$ref)] : given
    if (response === undefined) return ""
    return `<details><summary><b>${escape(status)}</b> ${escape(response.description)}</summary>${content(
      response.content ?? {}
    )}</details>`
  }
  const content = (types: Readonly<Record<string, Content>>) =>
    Object.entries(types)
      .map(([type, { example, examples, schema }]) => {
        const shownExamples = [
          ...(example === undefined ? [] : [["Example", example] as const]),
          ...Object.entries(examples ?? {}).map(([name, { value }]) => [name, value] as const)
        ]
        const blocks = shownExamples.map(([name, value]) => `<h5>${escape(name)}</h5>${code(value)}`)
        return `<p><code>${escape(type)}</code></p>${blocks.join("")}<details><summary>Schema</summary>${code(schema)}</details>`
      })
      .join("")
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)}</title>
<style>${style}</style></head><body>
<h1>${escape(info.title)} <small>${escape(info.version)}</small></h1>
${info.description === undefined ? "" : `<p>${escape(info.description)}</p>`}
${tags.map(section).join("")}
<h2>Schemas</h2>${Object.entries(components.schemas)
    .map(
      ([name, schema]) =>
        `<details id="schema-${escape(name)}"><summary><b>${escape(name)}</b></summary>${code(schema)}</details>`
    )
    .join("")}
</body></html>`
}
