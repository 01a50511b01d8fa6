import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("a cache in Redis", () => {
  checkTorture(torture, 4)
})
