-- What all scripts of a queue begin with. KEYS are always these six; the keys of tasks, of their
-- results and of what is unique are made from the prefix that all share, so they are in one slot.
local ready, delayed, leased = KEYS[1], KEYS[2], KEYS[3]
local dead, wake, meta = KEYS[4], KEYS[5], KEYS[6]
local prefix = string.sub(meta, 1, -5)

-- The server's clock, in microseconds: clocks of programs need not agree.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function int(n)
  return string.format('%.0f', n)
end

-- A number that was kept; `nil` if it is none with which can be reckoned.
local function num(text)
  local n = tonumber(text or '')
  if n and n == n and n > -1e17 and n < 1e17 then
    return n
  end
end

local function task(id)
  return prefix .. 'task:' .. id
end

-- A moment that no other task of this queue has: who came first stays first.
local function stamp()
  local at = math.max(now, (num(redis.call('HGET', meta, 'stamp')) or 0) + 1)
  redis.call('HSET', meta, 'stamp', int(at))
  return at
end

local function count(what)
  redis.call('HINCRBY', meta, what, 1)
end

-- Wakes one who waits, or the next one who is about to. More than one token is never needed: who
-- leaves something behind wakes the next.
local function alert()
  if redis.call('LLEN', wake) == 0 then
    redis.call('RPUSH', wake, '1')
  end
end

local function make_ready(id, order)
  redis.call('ZADD', ready, int(order), id)
  redis.call('HSET', task(id), 'state', 'ready', 'order', int(order))
end

local function make_delayed(id, due)
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  redis.call('ZADD', delayed, int(due), id)
  redis.call('HSET', task(id), 'state', 'delayed', 'due', int(due))
  if not first[2] or due < tonumber(first[2]) then
    alert()
  end
end

-- Lets others have the key, at once or when the window has passed.
local function free(id, key, window)
  if not key then
    return
  end
  local at = prefix .. 'unique:' .. key
  if redis.call('GET', at) == id then
    if window > 0 then
      redis.call('PEXPIRE', at, int(window))
    else
      redis.call('DEL', at)
    end
  end
end

-- Tells those who wait for the outcome. They rotate the list, so any number of them may wait.
local function tell(id, keep)
  local at = prefix .. 'result:' .. id
  redis.call('DEL', at)
  redis.call('RPUSH', at, '1')
  redis.call('PEXPIRE', at, int(keep))
end

-- What is over is kept for a while, without its payload.
local function finish(id, state, field, text)
  local at = task(id)
  local known = redis.call('HMGET', at, 'unique', 'window', 'keep', 'awaited')
  free(id, known[1], state == 'done' and num(known[2]) or 0)
  count(state)
  local keep = num(known[3]) or 0
  if known[4] then
    keep = math.max(keep, 60000)
  end
  if keep <= 0 then
    redis.call('DEL', at)
    return
  end
  redis.call('HDEL', at, 'payload', 'headers', 'result', 'error')
  redis.call('HSET', at, 'state', state, 'finished', int(now))
  if text then
    redis.call('HSET', at, field, text)
  end
  redis.call('PEXPIRE', at, int(keep))
  if known[4] then
    tell(id, keep)
  end
end

-- Puts a task with the dead letters; it stays as it is.
local function bury(id, failure)
  local at = task(id)
  local known = redis.call('HMGET', at, 'unique', 'awaited')
  free(id, known[1], 0)
  count('dead')
  redis.call('HSET', at, 'state', 'dead', 'finished', int(now), 'error', failure)
  redis.call('ZADD', dead, int(now), id)
  if known[2] then
    tell(id, 3600000)
  end
end

-- Whether a task is leased to this worker under this token. Both are compared: the clock of a server
-- that takes over may be behind, and give a token twice.
local function is_held(id, token, who)
  local held = redis.call('HMGET', task(id), 'state', 'token', 'worker')
  return held[1] == 'leased' and held[2] == token and held[3] == who
end
