-- ARGV: name, next time in milliseconds, fields. Returns when it fires next. A schedule that is set
-- again, as each program does that starts, keeps the firings that it owes.
local name, at = ARGV[1], prefix .. 'schedule:' .. ARGV[1]
local known = redis.call('HMGET', at, 'pattern', 'zone')
redis.call('DEL', at)
for field = 3, #ARGV, 2 do
  redis.call('HSET', at, ARGV[field], ARGV[field + 1])
end
local same = redis.call('HMGET', at, 'pattern', 'zone')
local next = redis.call('ZSCORE', prefix .. 'cron', name)
if not next or known[1] ~= same[1] or known[2] ~= same[2] then
  next = ARGV[2]
  redis.call('ZADD', prefix .. 'cron', next, name)
end
return next
