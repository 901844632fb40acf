"""What Redis does for a store in one step, as Lua: nobody sees a part of it.
https://redis.io/docs/latest/develop/programmability/eval-intro/

llama-stack:kv:<key>      the value, which expires by itself
llama-stack:keys          every key, as a sorted set of equal scores: in the order of bytes, which is that of code
                          points in UTF-8
llama-stack:expiring      the keys whose values expire, by when: to take them out of the sorted set later
"""

from __future__ import annotations

ROOT = b"llama-stack:"
VALUES, KEYS, EXPIRING = ROOT + b"kv:", ROOT + b"keys", ROOT + b"expiring"

WRITE = """
local values, keys, expiring = ARGV[1], KEYS[1], KEYS[2]
local at = 4
for _ = 1, ARGV[2] do
  local found = redis.call('GET', values .. ARGV[at])
  if ARGV[at + 1] == '' and found or ARGV[at + 1] ~= '' and found ~= ARGV[at + 2] then return 0 end
  at = at + 3
end
local time, now = redis.call('TIME'), nil
now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires, was_there = false, 0
for _ = 1, ARGV[3] do
  local key, what, value, ttl = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if string.sub(ttl, 1, 1) == '@' then ttl = string.sub(ttl, 2) - now end
  if what == 'put' and ttl ~= '' and tonumber(ttl) > 0 then
    redis.call('SET', values .. key, value, 'PX', ttl)
    redis.call('ZADD', keys, 0, key)
    redis.call('ZADD', expiring, now + ttl, key)
    expires = true
  elseif what == 'put' and ttl == '' then
    redis.call('SET', values .. key, value)
    redis.call('ZADD', keys, 0, key)
    redis.call('ZREM', expiring, key)
  else
    was_there = redis.call('DEL', values .. key)
    redis.call('ZREM', keys, key)
    redis.call('ZREM', expiring, key)
  end
  at = at + 4
end
if expires then
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, 100)) do
    if redis.call('EXISTS', values .. key) == 0 then
      redis.call('ZREM', keys, key)
      redis.call('ZREM', expiring, key)
    end
  end
end
return 1 + was_there
"""
"""ARGV: VALUES; how many checks and changes there are; for each check its key, `=` or nothing (no value), the value;
for each change its key, `put` or `remove`, the value, and the milliseconds until it expires, or `@` and its end in
milliseconds since 1970, or nothing. A value that is put after its end is not there, nor is what was there before.

Returns 0 if a check does not hold, else 1, or 2 if the last removal found its key.
"""

SCAN = """
local found, gone, size = {}, {}, 0
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local last = false
for _, key in ipairs(keys) do
  local value = redis.call('GET', ARGV[1] .. key)
  if value then
    found[#found + 1] = key
    found[#found + 1] = value
    found[#found + 1] = redis.call('ZSCORE', KEYS[2], key) or ''
    size = size + #value
  else
    gone[#gone + 1] = key
  end
  last = key
  if size >= tonumber(ARGV[5]) then break end
end
if #gone > 0 then redis.call('ZREM', KEYS[1], unpack(gone)) end
if #keys < tonumber(ARGV[4]) and last == keys[#keys] then last = false end
return {found, last}
"""
"""ARGV: VALUES, the lower and the upper bound of the keys, the most keys, and the bytes of values after which it stops.

Returns of each its key, its value, and its end in milliseconds since 1970 or nothing; and the last key that it looked
at, nothing if there are no more.
"""
