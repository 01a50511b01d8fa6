/**
 * The cache's steps on the server, each of which nothing comes between.
 *
 * A tag has a mark: a text that nobody had before. An answer has the marks of its tags at the time when its making began, and
 * is right for as long as they are still those. Invalidating a tag takes its mark away. A tag without one, also because the
 * server has forgotten it, gets another with the next making, so what was kept under the old one is never found again.
 *
 * All keys of a tenant have its name in braces, and are in one slot of a cluster.
 */
import { script } from "./asking.ts"

// KEYS: answer, lease, progress, tags ...; ARGV: token, lease in ms, after, "look" or "claim", how long tags stay in ms
export const look = script(`
local count = #KEYS - 3
local marks = redis.call('MGET', unpack(KEYS, 4))
local whole = true
for i = 1, count do if not marks[i] then whole = false end end
local stamp = whole and table.concat(marks, ',') or ''
local time = redis.call('TIME')
if whole and ARGV[4] == 'look' then
  local answer = redis.call('HMGET', KEYS[1], 'stamp', 'text', 'at', 'ttl', 'grace', 'cost', 'position')
  if answer[1] == stamp then
    local after = tonumber(ARGV[3])
    if tonumber(answer[7]) >= after or tonumber(redis.call('GET', KEYS[3]) or '0') >= after then
      local age = math.floor(time[1] * 1000 + time[2] / 1000) - tonumber(answer[3])
      return { 'found', answer[2], age, answer[4], answer[5], answer[6], answer[7] }
    end
  end
end
local held = redis.call('GET', KEYS[2])
if held and whole and string.sub(held, string.find(held, '|', 1, true) + 1) == stamp then return { 'taken' } end
for i = 1, count do
  if marks[i] then
    redis.call('PEXPIRE', KEYS[3 + i], ARGV[5])
  else
    marks[i] = ARGV[1] .. '.' .. i
    redis.call('SET', KEYS[3 + i], marks[i], 'PX', ARGV[5])
  end
end
stamp = table.concat(marks, ',')
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. stamp, 'PX', ARGV[2])
return { 'vacant', stamp, time[1] .. string.format('%06d', time[2]) }
`)

const release = `
local held = redis.call('GET', KEYS[2])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then redis.call('DEL', KEYS[2]) end
`

// KEYS: as above; ARGV: token, stamp, when it was begun, text, ttl, grace, cost, position
export const fill = script(`${release}
local marks = redis.call('MGET', unpack(KEYS, 4))
for i = 1, #KEYS - 3 do if not marks[i] then return 0 end end
if table.concat(marks, ',') ~= ARGV[2] then return 0 end
local before = redis.call('HMGET', KEYS[1], 'stamp', 'begun')
if before[1] == ARGV[2] and tonumber(before[2]) > tonumber(ARGV[3]) then return 0 end
local keep = tonumber(ARGV[5]) + tonumber(ARGV[6])
if keep < 1 then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'stamp', ARGV[2], 'begun', ARGV[3], 'text', ARGV[4], 'ttl', ARGV[5], 'grace', ARGV[6],
  'cost', ARGV[7], 'position', ARGV[8], 'at', string.format('%.0f', math.floor(time[1] * 1000 + time[2] / 1000)))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep))
return 1
`)

// KEYS: as above; ARGV: token
export const abandon = script(`${release}
return 1
`)

// KEYS: progress, tags ...; ARGV: how long progress stays in ms, position, channel, message
// Deleting and publishing are allowed when the memory is full, so they come first.
export const invalidate = script(`
if #KEYS > 1 then redis.call('DEL', unpack(KEYS, 2)) end
redis.call('PUBLISH', ARGV[3], ARGV[4])
if tonumber(ARGV[2]) > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
end
return 1
`)
