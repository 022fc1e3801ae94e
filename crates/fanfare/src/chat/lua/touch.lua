-- Which rooms somebody is in. KEYS: when that is no longer known. ARGV: time to live in milliseconds,
-- then rooms, any number of them.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function int(n)
  return string.format('%.0f', n)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
for at = 2, #ARGV do
  redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[1])), ARGV[at])
end
return redis.call('ZCARD', KEYS[1])
