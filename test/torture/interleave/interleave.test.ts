import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("step by step", () => {
  checkTorture(torture, 3)
})
