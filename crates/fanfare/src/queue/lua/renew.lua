-- ARGV: lease in milliseconds, then ID and token of each. Returns for each whether it is still held. A
-- lease that has run out and that nobody has taken yet goes on.
local kept = {}
for at = 2, #ARGV, 2 do
  local id = ARGV[at]
  if is_held(id, ARGV[at + 1]) then
    redis.call('ZADD', leased, int(now + tonumber(ARGV[1]) * 1000), id)
    kept[#kept + 1] = 1
  else
    kept[#kept + 1] = 0
  end
end
return kept
