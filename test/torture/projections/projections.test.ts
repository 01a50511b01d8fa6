import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("rebuilding projections", () => {
  checkTorture(torture, 5)
})
