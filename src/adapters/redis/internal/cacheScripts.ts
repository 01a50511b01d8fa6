/**
 * The cache's steps on the server, each of which nothing comes between.
 *
 * A tag has a mark: a text that nobody had before. An answer has the marks of its tags at the time when its making began, and
 * is right for as long as they are still those. Invalidating a tag takes its mark away. A tag without one, also because the
 * server has forgotten it, gets another with the next making, so what was kept under the old one is never found again.
 *
 * An answer is one text: the marks, when its making began, when it was kept, for how long it is fresh and stays in its grace, what it
 * cost and the position it holds, with bars between; then a line's end, and the answer itself.
 *
 * All keys of a tenant have its name in braces, and are in one slot of a cluster.
 */
import { script } from "./scripting.ts"

/** For how many milliseconds a tag is known that nobody uses: longer than any answer is kept. */
const tagsStay = 3 * 7 * 24 * 60 * 60 * 1000

// KEYS: answer, lease, progress, tags ...; ARGV: token, lease in ms, after, "look" or "claim"
export const look = script(`
local there = redis.call('MGET', unpack(KEYS))
local marks = { unpack(there, 4, #KEYS) }
local count = #KEYS - 3
local whole = true
for i = 1, count do if not marks[i] then whole = false end end
local stamp = whole and table.concat(marks, ',') or ''
local time = redis.call('TIME')
local answer = there[1]
if whole and answer and ARGV[4] == 'look' and string.sub(answer, 1, #stamp + 1) == stamp .. '|' then
  local after = tonumber(ARGV[3])
  if after == 0 or tonumber(there[3] or '0') >= after
    or tonumber(string.match(answer, '|(%d+)\\n', #stamp + 1)) >= after then
    return { 'found', time[1], time[2], answer }
  end
end
local held = there[2]
if held and whole and string.match(held, '|(.*)') == stamp then return { 'taken' } end
for i = 1, count do
  if marks[i] then
    redis.call('PEXPIRE', KEYS[3 + i], ${tagsStay})
  else
    marks[i] = ARGV[1] .. '.' .. i
    redis.call('SET', KEYS[3 + i], marks[i], 'PX', ${tagsStay})
  end
end
stamp = table.concat(marks, ',')
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. stamp, 'PX', ARGV[2])
return { 'vacant', stamp, time[1] .. string.format('%06d', time[2]) }
`)

// What is no text is taken for nothing, and written over.
const release = `
local held = redis.call('MGET', KEYS[2])[1]
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[2]) end
`

// KEYS: as above; ARGV: token, stamp, when it was begun, text, ttl, grace, cost, position
export const fill = script(`${release}
local marks = redis.call('MGET', unpack(KEYS, 4))
for i = 1, #KEYS - 3 do if not marks[i] then return 0 end end
if table.concat(marks, ',') ~= ARGV[2] then return 0 end
local before = redis.call('MGET', KEYS[1])[1]
if before and string.sub(before, 1, #ARGV[2] + 1) == ARGV[2] .. '|'
  and tonumber(string.match(before, '(%d+)|', #ARGV[2] + 2)) > tonumber(ARGV[3]) then return 0 end
local keep = tonumber(ARGV[5]) + tonumber(ARGV[6])
if keep < 1 then return 0 end
local time = redis.call('TIME')
local now = string.format('%.0f', math.floor(time[1] * 1000 + time[2] / 1000))
local head = table.concat({ ARGV[2], ARGV[3], now, ARGV[5], ARGV[6], ARGV[7], ARGV[8] }, '|')
redis.call('SET', KEYS[1], head .. '\\n' .. ARGV[4], 'PX', string.format('%.0f', keep))
return 1
`)

// KEYS: as above; ARGV: token
export const abandon = script(`${release}
return 1
`)

// KEYS: progress, tags ...; ARGV: position, channel, message
// Deleting and publishing are allowed when the memory is full, so they come first.
export const invalidate = script(`
if #KEYS > 1 then redis.call('DEL', unpack(KEYS, 2)) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ${tagsStay})
end
return 1
`)
