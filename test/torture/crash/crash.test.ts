import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("what was acknowledged", () => {
  checkTorture(torture, 2)
})
