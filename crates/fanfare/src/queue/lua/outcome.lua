-- ARGV: ID. Returns the state, the result and the error; whoever asks is told when it is over.
local at = task(ARGV[1])
local known = redis.call('HMGET', at, 'state', 'result', 'error')
local state = known[1]
if state == 'ready' or state == 'delayed' or state == 'leased' then
  -- The first write takes no memory, so that a server without any does not refuse it.
  redis.call('HDEL', at, 'awaited')
  redis.call('HSET', at, 'awaited', 1)
end
return known
