-- ARGV: ID, delay and moment in milliseconds, one of them empty. 1: it has a new time; 0: it is being
-- run, or is over, or was never there.
local id = ARGV[1]
if redis.call('ZREM', delayed, id) + redis.call('ZREM', ready, id) == 0 then
  return 0
end
local due
if ARGV[2] ~= '' then
  due = now + tonumber(ARGV[2]) * 1000
else
  due = tonumber(ARGV[3]) * 1000
end
if due <= now then
  make_ready(id, stamp() - (num(redis.call('HGET', task(id), 'ahead')) or 0))
  alert()
else
  make_delayed(id, due)
end
return 1
