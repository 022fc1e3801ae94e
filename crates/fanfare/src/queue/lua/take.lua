-- ARGV: how many, lease in milliseconds, who takes, deliveries at most, how many are moved at most.
-- Returns how long to wait for more in milliseconds (-1: until something is enqueued), and the tasks.
local n, lease, who = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local moved_max = ARGV[5]

for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', 0, moved_max)) do
  local known = redis.call('HMGET', task(id), 'due', 'ahead')
  redis.call('ZREM', delayed, id)
  if known[1] then
    make_ready(id, tonumber(known[1]) - tonumber(known[2] or '0'))
  else
    count('missing')
  end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', int(now), 'LIMIT', 0, moved_max)) do
  local known = redis.call('HMGET', task(id), 'deliveries', 'most', 'order', 'worker')
  redis.call('ZREM', leased, id)
  if known[1] then
    local most = tonumber(known[2] or ARGV[4])
    local failure = 'worker ' .. (known[4] or '') .. ' gave no sign of life for as long as its lease'
    count('abandoned')
    if most > 0 and tonumber(known[1]) >= most then
      bury(id, failure)
    else
      make_ready(id, tonumber(known[3]))
      redis.call('HSET', task(id), 'error', failure)
    end
  else
    count('missing')
  end
end

local taken = {}
local popped = n > 0 and redis.call('ZPOPMIN', ready, n) or {}
local token = 0
if #popped > 0 then
  token = redis.call('HINCRBY', meta, 'token', #popped / 2) - #popped / 2
end
for at = 1, #popped, 2 do
  local id = popped[at]
  local known = redis.call('HMGET', task(id), 'deliveries', 'payload', 'headers', 'enqueued',
    'priority', 'expires', 'error')
  if not known[1] then
    count('missing')
  elseif known[6] and tonumber(known[6]) <= now then
    finish(id, 'expired', 'error', known[7])
  else
    token = token + 1
    local deliveries = tonumber(known[1]) + 1
    redis.call('HSET', task(id), 'state', 'leased', 'deliveries', deliveries, 'token', int(token),
      'worker', who, 'started', int(now))
    if deliveries == 1 then redis.call('HSET', task(id), 'first', int(now)) end
    redis.call('ZADD', leased, int(now + lease * 1000), id)
    taken[#taken + 1] = { id, int(token), deliveries, known[2], known[3], known[4], known[5],
      known[7] }
  end
end

local wait = -1
if redis.call('ZCARD', ready) > 0 then
  wait = 0
  alert()
else
  for _, set in ipairs({ delayed, leased }) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] then
      local left = math.max(0, math.ceil((tonumber(first[2]) - now) / 1000))
      if wait < 0 or left < wait then
        wait = left
      end
    end
  end
end
return { wait, taken }
