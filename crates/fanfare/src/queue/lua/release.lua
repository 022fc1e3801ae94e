-- ARGV: ID, token, whether it was begun. A task that was not does not count as delivered. 1: given back; 0:
-- the lease is another's or over.
local id = ARGV[1]
if not is_held(id, ARGV[2]) then
  return 0
end
redis.call('ZREM', leased, id)
if ARGV[3] == '0' then
  redis.call('HINCRBY', task(id), 'deliveries', -1)
end
make_ready(id, tonumber(redis.call('HGET', task(id), 'order')))
alert()
return 1
