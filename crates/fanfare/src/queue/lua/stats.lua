-- Returns the lengths, for how long the first in line has been ready in milliseconds (-1: none is), and the
-- counts.
local waited = -1
local first = redis.call('ZRANGE', ready, 0, 0, 'WITHSCORES')
if first[2] then
  local since = tonumber(first[2]) + (num(redis.call('HGET', task(first[1]), 'ahead')) or 0)
  waited = math.max(0, math.floor((now - since) / 1000))
end
local counts = redis.call('HMGET', meta, 'enqueued', 'done', 'failed', 'dead', 'abandoned', 'expired',
  'cancelled', 'duplicate', 'missing', 'requeued')
for at, n in ipairs(counts) do
  counts[at] = tonumber(n or '0')
end
return { redis.call('ZCARD', ready), redis.call('ZCARD', delayed), redis.call('ZCARD', leased),
  redis.call('ZCARD', dead), waited, counts }
