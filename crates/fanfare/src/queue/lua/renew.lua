-- ARGV: lease in milliseconds, worker, then ID and token of each. Returns for each whether it is still held.
-- A lease that has run out and that nobody has taken yet goes on.
local kept = {}
for at = 3, #ARGV, 2 do
  local id = ARGV[at]
  if is_held(id, ARGV[at + 1], ARGV[2]) then
    -- A server whose memory is full refuses a script whose first write takes memory, and only that one:
    -- then this would be refused while others went on to take.
    redis.call('ZREM', leased, id)
    redis.call('ZADD', leased, int(now + tonumber(ARGV[1]) * 1000), id)
    kept[#kept + 1] = 1
  else
    kept[#kept + 1] = 0
  end
end
return kept
