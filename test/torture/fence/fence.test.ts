import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("the order of the log", () => {
  checkTorture(torture, 5)
})
