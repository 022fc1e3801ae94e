-- ARGV: how many, lease in milliseconds, who takes, deliveries at most, how many are moved at most.
-- Returns how long to wait for more in milliseconds (-1: until something is enqueued), the tasks, and which
-- were put with the dead letters and why.
local n, lease, who = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local moved_max = ARGV[5]
local buried = {}

-- Some fields of a task. Nothing, if there is none, or something else has its key.
local function fields(id, ...)
  local known = redis.pcall('HMGET', task(id), ...)
  return known.err and {} or known
end

-- Puts one with the dead letters that nobody has failed.
local function put_aside(id, failure)
  bury(id, failure)
  buried[#buried + 1] = { id, failure }
end

local function unreadable(id, field, text)
  put_aside(id, 'what is kept of it can not be read: ' .. field .. ' is ' .. string.sub(text, 1, 100))
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', 0, moved_max)) do
  local known = fields(id, 'due', 'ahead')
  redis.call('ZREM', delayed, id)
  if known[1] then
    make_ready(id, (num(known[1]) or now) - (num(known[2]) or 0))
  else
    count('missing')
  end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', int(now), 'LIMIT', 0, moved_max)) do
  local known = fields(id, 'deliveries', 'most', 'order', 'worker')
  redis.call('ZREM', leased, id)
  if known[1] then
    local most = num(known[2]) or tonumber(ARGV[4])
    local failure = 'worker ' .. (known[4] or '') .. ' gave no sign of life for as long as its lease'
    count('abandoned')
    if most > 0 and (num(known[1]) or 0) >= most then
      put_aside(id, failure)
    else
      make_ready(id, num(known[3]) or now)
      redis.call('HSET', task(id), 'error', failure, 'left', known[4] or '')
    end
  else
    count('missing')
  end
end

-- Tokens grow with the clock, so they go on growing when what was kept of them is lost.
local token = math.max(now - 1, num(redis.call('HGET', meta, 'token')) or 0)
local taken = {}
local popped = n > 0 and redis.call('ZPOPMIN', ready, n) or {}
for at = 1, #popped, 2 do
  local id = popped[at]
  local known = fields(id, 'deliveries', 'payload', 'headers', 'enqueued', 'priority', 'expires', 'error',
    'left', 'token')
  local deliveries, expires = num(known[1]), num(known[6])
  if not known[1] then
    count('missing')
  elseif not deliveries then
    unreadable(id, 'deliveries', known[1])
  elseif known[6] and not expires then
    unreadable(id, 'expires', known[6])
  elseif expires and expires <= now then
    finish(id, 'expired', 'error', known[7])
  else
    token, deliveries = math.max(token, num(known[9]) or 0) + 1, deliveries + 1
    redis.call('HSET', task(id), 'state', 'leased', 'deliveries', int(deliveries), 'token', int(token),
      'worker', who, 'started', int(now))
    if deliveries == 1 then redis.call('HSET', task(id), 'first', int(now)) end
    if known[8] then redis.call('HDEL', task(id), 'left') end
    redis.call('ZADD', leased, int(now + lease * 1000), id)
    taken[#taken + 1] = { id, int(token), int(deliveries), known[2], known[3], known[4], known[5],
      known[7], known[8] }
  end
end
if #taken > 0 then
  redis.call('HSET', meta, 'token', int(token))
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
return { wait, taken, buried }
