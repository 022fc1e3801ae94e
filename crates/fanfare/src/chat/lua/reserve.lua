-- A user's rooms, of all connections. KEYS: when each is no longer wanted. ARGV: time to live in
-- milliseconds, rooms at most, then room and connection, any number of times. Returns how many rooms there
-- are already if there is no place for all of these, and otherwise -1.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function int(n)
  return string.format('%.0f', n)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local rooms, n = {}, 0
local function count(member)
  local room = string.match(member, '^([^:]*):')
  if not rooms[room] then
    rooms[room], n = true, n + 1
  end
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  count(member)
end
local before = n
for at = 3, #ARGV do
  count(ARGV[at])
end
if tonumber(ARGV[2]) < n and before < n then
  return before
end
for at = 3, #ARGV do
  redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[1])), ARGV[at])
end
redis.call('PEXPIRE', KEYS[1], int(2 * tonumber(ARGV[1])))
return -1
