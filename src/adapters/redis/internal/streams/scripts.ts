/**
 * The steps of groups on the server, each of which nothing comes between.
 *
 * A segment of a log is a stream, whose ids are those of its entries, so the server refuses what it has already. Beside it are its
 * mark, and for each group who owns it and what is parked: all in one slot of a cluster, and replicated in one order. What a
 * failover loses of a segment is its end, of all of that together.
 *
 * A token is the server's time, or one more than the last where that is greater. So it grows also when the last one is forgotten.
 */
import { script } from "../scripting.ts"

const time = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`

const ids = `
local function parts(id)
  local at = string.find(id, '-', 1, true)
  return tonumber(string.sub(id, 1, at - 1)), tonumber(string.sub(id, at + 1))
end
local function field(list, name)
  for i = 1, #list, 2 do if list[i] == name then return list[i + 1] end end
end
`

// KEYS: ..., owner; ARGV: ..., claim, ... Another owner, or none, ends the script. A claim is a token and whose it is: a server that
// has gone back, and whose clock is behind, may give another worker the same token.
const owning = (owner: number, claim: number) => `${time}
local owner = redis.call('HMGET', KEYS[${owner}], 'token', 'holder')
if not owner[1] or owner[1] .. ' ' .. owner[2] ~= ARGV[${claim}] then return 0 end
`

// KEYS: segments; ARGV: how many. Answers with how many there are.
export const count = script(`
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
`)

// KEYS: stream, mark; ARGV: floor, groups ...
export const open = script(`
redis.call('SET', KEYS[2], ARGV[1], 'NX')
for i = 2, #ARGV do redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[i], '0', 'MKSTREAM') end
return redis.call('GET', KEYS[2])
`)

// KEYS: stream, mark; ARGV: from, to, channel, segment, id, key, text ...
export const add = script(`${ids}
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if #ARGV > 4 then
  local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
  local last = stream.err and '0-0' or field(stream, 'last-generated-id')
  local position, index = parts(last)
  for i = 5, #ARGV, 3 do
    local p, x = parts(ARGV[i])
    if p > position or p == position and x > index then
      redis.call('XADD', KEYS[1], ARGV[i], 'key', ARGV[i + 1], 'event', ARGV[i + 2], 'after', last)
      last, position, index = ARGV[i], p, x
    end
  end
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
if ARGV[1] ~= ARGV[2] then redis.call('SET', KEYS[2], ARGV[2]) end
return 1
`)

// KEYS: stream, mark, held
export const settle = script(`${ids}
local needed = tonumber(redis.call('GET', KEYS[2]) or '0')
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err or #groups == 0 then return tostring(needed) end
local position, index
for _, group in ipairs(groups) do
  local pending = redis.call('XPENDING', KEYS[1], field(group, 'name'))
  local p, x
  if pending[1] > 0 then p, x = parts(pending[2])
  else
    p, x = parts(field(group, 'last-delivered-id'))
    x = x + 1
  end
  if not position or p < position or p == position and x < index then position, index = p, x end
end
redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f-%.0f', position, index))
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if first then needed = math.min(needed, parts(first[1]) - 1) end
local held = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if held[2] then needed = math.min(needed, tonumber(held[2]) - 1) end
return string.format('%.0f', needed)
`)

// KEYS: stream; ARGV: group, where
export const start = script(`
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
return 1
`)

// KEYS: workers; ARGV: worker, milliseconds
export const join = script(`${time}
redis.call('ZADD', KEYS[1], text(now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
return redis.call('ZCARD', KEYS[1])
`)

// KEYS: stream, owner, keys; ARGV: group, worker, milliseconds
export const claim = script(`${time}${ids}
local owner = redis.call('HMGET', KEYS[2], 'token', 'until', 'holder')
if owner[1] and owner[3] ~= '' and owner[3] ~= ARGV[2] and tonumber(owner[2]) > now then return 'held' end
local token = text(math.max(tonumber(owner[1] or '0') + 1, now))
redis.call('HSET', KEYS[2], 'token', token, 'holder', ARGV[2], 'until', text(now + ARGV[3]))
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local cursor = '0-0'
repeat
  cursor = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, cursor, 'COUNT', 100, 'JUSTID')[1]
until cursor == '0-0'
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local name = field(consumer, 'name')
  if name ~= ARGV[2] then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name) end
end
local after = '0-0'
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if field(group, 'name') == ARGV[1] then after = field(group, 'last-delivered-id') end
end
local parked = redis.call('HGETALL', KEYS[3])
for i = 1, #parked, 2 do redis.call('XACK', KEYS[1], ARGV[1], parked[i]) end
return { token, after, parked }
`)

// KEYS: owner; ARGV: claim, milliseconds
export const renew = script(`${owning(1, 1)}
redis.call('HSET', KEYS[1], 'until', text(now + ARGV[2]))
return 1
`)

// KEYS: owner; ARGV: claim
export const release = script(`${owning(1, 1)}
redis.call('HSET', KEYS[1], 'holder', '', 'until', '0')
return 1
`)

// KEYS: stream, owner, due, parked; ARGV: group, claim, milliseconds, limit or nothing, how many are parked or nothing, handled ids ...
export const take = script(`${owning(2, 2)}${ids}
if ARGV[5] ~= '' and redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', KEYS[2], 'until', text(now + ARGV[3]))
-- A call takes a few thousand arguments.
for i = 6, #ARGV, 1000 do redis.pcall('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, math.min(i + 999, #ARGV))) end
if ARGV[4] == '' then return { '', {} } end
local limit = tonumber(ARGV[4])
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if pending.err then return 0 end
local again = pending[1] > 0
local due, from = '', '>'
if again then limit, from = 1, '0'
else
  local id = redis.call('ZRANGE', KEYS[3], '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 1)[1]
  if id then
    local found = redis.call('HGET', KEYS[4], id)
    if found then due = id .. ' ' .. found else redis.call('ZREM', KEYS[3], id) end
  end
  if limit == 0 then return { due, {} } end
end
local got = redis.call('XREADGROUP', 'GROUP', ARGV[1], owner[2], 'COUNT', limit, 'STREAMS', KEYS[1], from)
local entries = {}
for _, entry in ipairs(got and got[1][2] or {}) do
  local times = 1
  if again then times = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1][4] end
  if entry[2] then
    local f = entry[2]
    entries[#entries + 1] = { entry[1], field(f, 'key'), field(f, 'event'), field(f, 'after'), times }
  else redis.call('XACK', KEYS[1], ARGV[1], entry[1]) end
end
return { due, entries }
`)

// What it goes by is not there: the server has gone back.
const there = (id: number) => `
if ARGV[${id}] ~= '' and redis.call('HEXISTS', KEYS[4], ARGV[${id}]) == 0 then return 0 end
`

// KEYS: stream, owner, due, parked, keys, held
// ARGV: group, claim, id, the one before it that is parked or nothing, position, entry, milliseconds or nothing
export const park = script(`${owning(2, 2)}${there(4)}
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[3]) == 0 then return redis.call('HEXISTS', KEYS[4], ARGV[3]) end
local entry = cjson.decode(ARGV[6])
entry.at = now
redis.call('HSET', KEYS[4], ARGV[3], cjson.encode(entry))
redis.call('HSET', KEYS[5], ARGV[3], entry.key)
redis.call('ZADD', KEYS[6], ARGV[5], ARGV[1] .. '|' .. ARGV[3])
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[3], text(now + ARGV[7]), ARGV[3]) end
return 1
`)

// KEYS: as above; ARGV: group, claim, id, the next id or nothing
export const settled = script(`${owning(2, 2)}${there(4)}
redis.call('HDEL', KEYS[4], ARGV[3])
redis.call('HDEL', KEYS[5], ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[3])
redis.call('ZREM', KEYS[6], ARGV[1] .. '|' .. ARGV[3])
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[3], text(now), ARGV[4]) end
return 1
`)

// KEYS: as above; ARGV: group, claim, id, the one before it that is parked or nothing, what changes, milliseconds or nothing
export const failed = script(`${owning(2, 2)}${there(4)}
redis.call('ZREM', KEYS[3], ARGV[3])
local found = redis.call('HGET', KEYS[4], ARGV[3])
if found and ARGV[4] == '' then
  local entry, changes = cjson.decode(found), cjson.decode(ARGV[5])
  -- Somebody has decided meanwhile that it is tried anew, or left out.
  local anew = entry.attempts < changes.attempts - 1
  if anew then changes.attempts = entry.attempts end
  for name, value in pairs(changes) do entry[name] = value end
  redis.call('HSET', KEYS[4], ARGV[3], cjson.encode(entry))
  local again = (anew or entry.skipped) and '0' or ARGV[6]
  if again ~= '' then redis.call('ZADD', KEYS[3], text(now + again), ARGV[3]) end
end
return 1
`)

// KEYS: due, parked
export const parked = script(`
return { redis.call('HGETALL', KEYS[2]), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') }
`)

// KEYS: due, parked; ARGV: channel, segment, what changes, ids ...
export const due = script(`${time}
local count = 0
local changes = cjson.decode(ARGV[3])
for i = 4, #ARGV do
  local found = redis.call('HGET', KEYS[2], ARGV[i])
  if found then
    local entry = cjson.decode(found)
    for name, value in pairs(changes) do entry[name] = value end
    redis.call('HSET', KEYS[2], ARGV[i], cjson.encode(entry))
    redis.call('ZADD', KEYS[1], text(now), ARGV[i])
    count = count + 1
  end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return count
`)

// KEYS: stream, owner, parked; ARGV: group
export const inspect = script(`${time}${ids}
local owner = redis.call('HMGET', KEYS[2], 'holder', 'token', 'until')
local lag, pending = 0, 0
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for _, group in ipairs(groups.err and {} or groups) do
  if field(group, 'name') == ARGV[1] then
    pending = field(group, 'pending')
    lag = field(group, 'lag')
    -- What the server does not know is counted, up to a bound.
    if not lag then
      lag = #redis.call('XRANGE', KEYS[1], '(' .. field(group, 'last-delivered-id'), '+', 'COUNT', 1000)
    end
  end
end
local isOwned = owner[1] and owner[1] ~= '' and tonumber(owner[3]) > now
return { isOwned and owner[1] or '', isOwned and owner[2] or '0', lag, pending, redis.call('HLEN', KEYS[3]) }
`)

// KEYS: stream, owner, due, parked, keys, held; ARGV: group
export const remove = script(`
redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
for _, member in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do
  if string.match(member, '(.*)|') == ARGV[1] then redis.call('ZREM', KEYS[6], member) end
end
return 1
`)
