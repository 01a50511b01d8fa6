import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("consumers", () => {
  checkTorture(torture, 4)
})
