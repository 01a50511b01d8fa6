import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("a log on a new server", () => {
  checkTorture(torture, 3)
})
