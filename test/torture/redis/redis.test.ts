import { describe } from "@effect/vitest"
import * as servers from "../../services/servers.ts"
import { checkTorture } from "../check.ts"
import { torture } from "./torture.ts"

describe.skipIf(servers.redisProgram() === undefined)("groups in Redis", () => {
  checkTorture(torture, 4)
})
