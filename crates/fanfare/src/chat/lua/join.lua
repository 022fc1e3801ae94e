-- ARGV: member, time to live in milliseconds, users at most.
-- Returns what came of it, and the last entry before it.
local member, ttl, most = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
sweep()
local newest = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)
local last = newest[1] and newest[1][1] or '0-0'
if redis.call('ZSCORE', presence, member) then
  redis.call('ZADD', presence, int(now + ttl), member)
  keep()
  return { 'again', last }
end
local n = redis.call('HLEN', users)
if most <= n and redis.call('HEXISTS', users, user_of(member)) == 0 then
  return { 'full', int(n) }
end
come(member, now + ttl)
keep()
return { 'new', last }
