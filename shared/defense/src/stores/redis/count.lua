-- Demands on limits, all at once: all are met, or nothing is taken. The arithmetic is `rate::Quota`'s, in whole microseconds, which doubles hold
-- exactly until the year 2255; what is taken beyond that is cut to the deepest debt. What is given back is given to a key that is known, and of another
-- all units are there.
--
-- KEYS  for each demand the sorted set of its class: members are names, scores the times at which all units will be there again
-- ARGV  "examine", "take", "charge" or "give_back"; now, or nothing for the server's time; how many members a set may have; and for each demand
--       its name, and the times in which all its units come back, those that it needs, and those that it takes or gives back
-- Returns 0 met, 1 not met or 2 no room; and for each demand how long until it is met, how long until all units are there, and the time in which what
--       was really taken comes back
local FORGOTTEN_AT_ONCE = 16
local AND_A_MINUTE = 60000

local mode, now, capacity = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

local steps, same, met = {}, {}, true
for i, set in ipairs(KEYS) do
    local name = ARGV[i * 4]
    local all, needs, takes = tonumber(ARGV[i * 4 + 1]), tonumber(ARGV[i * 4 + 2]), tonumber(ARGV[i * 4 + 3])
    -- What the demands before this one take of the same key counts.
    local known = same[set .. name] or tonumber(redis.call('ZSCORE', set, name)) or now
    local before = math.max(math.min(known, now + 2 * all), now)
    local after = math.min(before + takes, now + 2 * all)
    if mode == 'give_back' then
        after = math.max(before - takes, now)
    end
    local wait = math.max(needs - (now + all - before), 0)
    met = met and wait == 0
    same[set .. name] = after
    steps[i] = { set = set, name = name, before = before, after = after, wait = wait, writes = takes > 0 and after > now }
end

if mode == 'give_back' then
    for _, step in ipairs(steps) do
        redis.call('ZADD', step.set, 'XX', string.format('%.0f', step.after), step.name)
    end
end

local writes = mode == 'charge' or (mode == 'take' and met)
if writes then
    local new, counted = {}, {}
    for _, step in ipairs(steps) do
        if not new[step.set] then
            local past = redis.call('ZRANGEBYSCORE', step.set, '-inf', now, 'LIMIT', 0, FORGOTTEN_AT_ONCE)
            if #past > 0 then
                redis.call('ZREM', step.set, unpack(past))
            end
            new[step.set] = redis.call('ZCARD', step.set)
        end
        if step.writes and not counted[step.set .. step.name] and not redis.call('ZSCORE', step.set, step.name) then
            counted[step.set .. step.name] = true
            new[step.set] = new[step.set] + 1
            if new[step.set] > capacity then
                return { 2 }
            end
        end
    end
    for _, step in ipairs(steps) do
        if step.writes then
            redis.call('ZADD', step.set, string.format('%.0f', step.after), step.name)
            local ends = math.ceil((step.after - now) / 1000) + AND_A_MINUTE
            if redis.call('PTTL', step.set) < ends then
                redis.call('PEXPIRE', step.set, ends)
            end
        end
    end
end

local answer = { (met or mode == 'charge' or mode == 'give_back') and 0 or 1 }
for _, step in ipairs(steps) do
    answer[#answer + 1] = step.wait
    answer[#answer + 1] = (writes and step.after or step.before) - now
    answer[#answer + 1] = writes and step.after - step.before or 0
end
return answer
