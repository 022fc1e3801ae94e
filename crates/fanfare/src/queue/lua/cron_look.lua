-- ARGV: how many at most. Returns the time and when to look again, in milliseconds (-1: there are no
-- schedules), and the schedules that are due: name, time, fields.
local cron = prefix .. 'cron'
local now_ms = math.floor(now / 1000)
local due = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', cron, '-inf', int(now_ms), 'LIMIT', 0, ARGV[1])) do
  local fields = redis.call('HGETALL', prefix .. 'schedule:' .. name)
  if #fields == 0 then
    redis.call('ZREM', cron, name)
  else
    due[#due + 1] = { name, redis.call('ZSCORE', cron, name), fields }
  end
end
local first = redis.call('ZRANGE', cron, 0, 0, 'WITHSCORES')
return { int(now_ms), first[2] and int(math.max(0, tonumber(first[2]) - now_ms)) or '-1', due }
