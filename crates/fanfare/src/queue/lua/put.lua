-- Puts tasks in: 12 of ARGV from this one on for each. Returns for each which task there is now, its own ID or
-- the one of another task that has its key, and whether it is new.
local function put(first)
  local answers = {}
  local n_ready = 0
  for at = first, #ARGV, 12 do
    local id, payload, headers = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local delay, moment = ARGV[at + 3], ARGV[at + 4]
    local ahead, priority = tonumber(ARGV[at + 5]), ARGV[at + 6]
    local unique, window, ttl = ARGV[at + 7], ARGV[at + 8], ARGV[at + 9]
    local keep, most = ARGV[at + 10], ARGV[at + 11]
    local has_key = string.sub(unique, 1, 1) == '='
    local other = false
    if redis.call('EXISTS', task(id)) == 1 then
      other = id
    elseif has_key then
      local lock = prefix .. 'unique:' .. string.sub(unique, 2)
      other = redis.call('GET', lock)
      -- A key without an expiry belongs to a task; if that is gone, evicted or deleted, so is its claim.
      if other and redis.call('PTTL', lock) == -1 and redis.call('EXISTS', task(other)) == 0 then
        other = false
      end
      if not other then
        redis.call('SET', lock, id)
      end
    end
    if other then
      count('duplicate')
      answers[#answers + 1] = { other, 0 }
    else
      local began = stamp()
      redis.call('HSET', task(id), 'payload', payload, 'deliveries', 0, 'enqueued', int(began),
        'keep', keep)
      if headers ~= '' then redis.call('HSET', task(id), 'headers', headers) end
      if ahead ~= 0 then redis.call('HSET', task(id), 'ahead', int(ahead), 'priority', priority) end
      if has_key then
        redis.call('HSET', task(id), 'unique', string.sub(unique, 2), 'window', window)
      end
      if most ~= '' then redis.call('HSET', task(id), 'most', most) end
      if ttl ~= '' then
        redis.call('HSET', task(id), 'expires', int(began + tonumber(ttl) * 1000))
      end
      local due = began
      if delay ~= '' then due = began + tonumber(delay) * 1000 end
      if moment ~= '' then due = tonumber(moment) * 1000 end
      if now < due and due ~= began then
        make_delayed(id, due)
      else
        make_ready(id, began - ahead)
        n_ready = n_ready + 1
      end
      count('enqueued')
      answers[#answers + 1] = { id, 1 }
    end
  end
  if n_ready > 0 then
    alert()
  end
  return answers
end
