-- The use of a key, which is to be the only one.
--
-- KEYS  the sorted set of a class: members are names of owners and of keys, scores the times until which they are remembered;
--       a hash with how many members each owner has
-- ARGV  the owner's name, the key's name, for how many milliseconds it is remembered, how many members there may be, and how many of one owner;
--       now in milliseconds, or nothing for the server's time
-- Returns 0 the first use, 1 used before, 2 no room
local FORGOTTEN_AT_ONCE = 16
local AND_A_MINUTE = 60000

local set, owners = KEYS[1], KEYS[2]
local owner, member, now = ARGV[1], ARGV[1] .. ARGV[2], tonumber(ARGV[6])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local ends = now + ARGV[3]

for _, past in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, FORGOTTEN_AT_ONCE)) do
    redis.call('ZREM', set, past)
    local whose = string.sub(past, 1, #owner)
    if redis.call('HINCRBY', owners, whose, -1) <= 0 then
        redis.call('HDEL', owners, whose)
    end
end

local known = tonumber(redis.call('ZSCORE', set, member))
if known and known >= now then
    return 1
end
if not known then
    local count = tonumber(redis.call('HGET', owners, owner) or 0)
    if redis.call('ZCARD', set) >= tonumber(ARGV[4]) or count >= tonumber(ARGV[5]) then
        return 2
    end
    redis.call('HINCRBY', owners, owner, 1)
end
redis.call('ZADD', set, string.format('%.0f', ends), member)
for _, key in ipairs(KEYS) do
    if redis.call('PTTL', key) < ARGV[3] + AND_A_MINUTE then
        redis.call('PEXPIRE', key, ARGV[3] + AND_A_MINUTE)
    end
end
return 0
