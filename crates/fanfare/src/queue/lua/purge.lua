-- ARGV: IDs. Returns how many of them were dead letters; those are gone now.
local n = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', dead, id) == 1 then
    redis.call('DEL', task(id), prefix .. 'result:' .. id)
    n = n + 1
  end
end
return n
