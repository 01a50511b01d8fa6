import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("the safety lines", () => {
  checkTorture(torture, 5)
})
