-- What all scripts of a room begin with. KEYS: when each connection is no longer there, how many
-- connections each user has, what was said and happened. They are in one slot.
-- ARGV: how many entries are kept, for how many milliseconds, and then each script's own.
local presence, users, history = KEYS[1], KEYS[2], KEYS[3]

-- The server's clock: clocks of programs need not agree.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function int(n)
  return string.format('%.0f', n)
end

local function append(...)
  redis.call('XTRIM', history, 'MINID', '=', int(now - tonumber(ARGV[2])))
  return redis.call('XADD', history, 'MAXLEN', '=', ARGV[1], '*', ...)
end

local function user_of(member)
  return string.match(member, '^([^:]*):')
end

-- A connection is there from now on. Who has another one there has come already.
local function come(member, until_ms)
  redis.call('ZADD', presence, int(until_ms), member)
  local user = user_of(member)
  if redis.call('HINCRBY', users, user, 1) == 1 then
    append('type', 'joined', 'user', user)
  end
end

-- A connection is no longer there. Who has another one there stays. Whoever finds it first tells it, and
-- nobody again.
local function go(member, kind)
  if redis.call('ZREM', presence, member) == 0 then
    return 0
  end
  local user = user_of(member)
  if redis.call('HINCRBY', users, user, -1) <= 0 then
    redis.call('HDEL', users, user)
    append('type', kind, 'user', user)
  end
  return 1
end

-- Connections that gave no sign of life; at most so many at once, so that nobody waits long.
local function sweep()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', presence, '-inf', int(now), 'LIMIT', 0, 200)) do
    go(member, 'expired')
  end
end

-- A room in which nothing happens for as long as its history is kept goes away; who is there, though, stays
-- known for as long as they are, and after that until somebody has come who is told that they are not.
local function keep()
  redis.call('PEXPIRE', history, ARGV[2])
  local last = redis.call('ZRANGE', presence, -1, -1, 'WITHSCORES')[2]
  local at = int(math.max(now, tonumber(last or '0')) + tonumber(ARGV[2]))
  redis.call('PEXPIREAT', presence, at)
  redis.call('PEXPIREAT', users, at)
end
