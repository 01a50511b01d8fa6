/** Which steps of flows every storage can keep. */
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import type { Entry } from "../FlowStoreDriver.ts"
import { bytesOver, nameIssue, tenantIssue, textIssue } from "./text.ts"

const maxIdBytes = 1024
const maxCorrelationBytes = 512
const maxTextBytes = 4096

export const correlationIssue = (text: string): FieldIssue | undefined =>
  nameIssue("correlationId", text, maxCorrelationBytes)

/** What is wrong with a step. */
export const issuesOf = ({ correlationId, step, tenant }: Entry): ReadonlyArray<FieldIssue> => {
  const { attempts, error, millis } = step.outcome ?? { attempts: 0, error: undefined, millis: 0 }
  const found = [
    tenantIssue(tenant),
    correlationIssue(correlationId),
    nameIssue("id", step.id, maxIdBytes),
    step.causationId === undefined ? undefined : nameIssue("causationId", step.causationId, maxIdBytes),
    optionalIssue("name", step.name),
    optionalIssue("place", step.place),
    optionalIssue("outcome.error", error),
    Number.isFinite(step.at) ? undefined : { path: "at", message: "must be a finite number" },
    Number.isFinite(millis) ? undefined : { path: "outcome.millis", message: "must be a finite number" },
    Number.isInteger(attempts) && attempts >= 0 && attempts < 2 ** 31
      ? undefined
      : { path: "outcome.attempts", message: "must be a whole number of 0 or more" }
  ]
  return found.filter((issue) => issue !== undefined)
}

const optionalIssue = (path: string, text: string | undefined): FieldIssue | undefined => {
  if (text === undefined) return undefined
  return bytesOver(text, maxTextBytes) === undefined
    ? textIssue(path, text)
    : { path, message: `must take at most ${maxTextBytes} bytes` }
}
