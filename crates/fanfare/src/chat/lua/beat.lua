-- A sign of life. ARGV: member, time to live in milliseconds.
-- Returns whether others were told meanwhile that it was gone.
local member, ttl = ARGV[3], tonumber(ARGV[4])
local has_lapsed = 0
if redis.call('ZSCORE', presence, member) then
  redis.call('ZADD', presence, int(now + ttl), member)
else
  has_lapsed = 1
  come(member, now + ttl)
end
sweep()
keep()
return has_lapsed
