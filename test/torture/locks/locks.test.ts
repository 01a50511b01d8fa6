import { describe } from "@effect/vitest"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe("leases", () => {
  checkTorture(torture, 4)
})
