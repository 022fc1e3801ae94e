-- ARGV: ID, token, worker, whether it was begun, rest in milliseconds (empty: it goes back to where it was in
-- line). A task that was not begun does not count as delivered. 1: given back; 0: the lease is another's or
-- over.
local id = ARGV[1]
if not is_held(id, ARGV[2], ARGV[3]) then
  return 0
end
redis.call('ZREM', leased, id)
if ARGV[4] == '0' then
  redis.call('HINCRBY', task(id), 'deliveries', -1)
end
if ARGV[5] ~= '' then
  make_delayed(id, now + tonumber(ARGV[5]) * 1000)
  return 1
end
make_ready(id, num(redis.call('HGET', task(id), 'order')) or now)
alert()
return 1
