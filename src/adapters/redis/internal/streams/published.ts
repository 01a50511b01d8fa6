/** The steps of the bus on the server. */
import { script } from "../scripting.ts"

// KEYS: stream; ARGV: for how long events are kept, in milliseconds, events ...
export const publish = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'event', ARGV[i]) end
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', now - ARGV[1]))
return 1
`)

// KEYS: stream. Answers with the id that was given last.
export const last = script(`
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
if stream.err then return '0-0' end
for i = 1, #stream, 2 do if stream[i] == 'last-generated-id' then return stream[i + 1] end end
`)
