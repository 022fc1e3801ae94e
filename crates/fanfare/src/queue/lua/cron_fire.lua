-- ARGV: name, the time that was due, the next one (empty: there is none), then 12 for each task. 1: they are in
-- the queue; 0: another one has fired it, or it was changed.
local cron, name = prefix .. 'cron', ARGV[1]
local due = redis.call('ZSCORE', cron, name)
if not due or tonumber(due) ~= tonumber(ARGV[2]) then
  return 0
end
if ARGV[3] == '' then
  redis.call('ZREM', cron, name)
else
  redis.call('ZADD', cron, ARGV[3], name)
end
put(4)
return 1
