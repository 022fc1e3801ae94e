-- ARGV: ID, token, what failed, rest in milliseconds (empty: no attempt would help), deliveries at most. 1: it is tried again; 2: it is
-- with the dead letters; 0: the lease is another's or over.
local id = ARGV[1]
if not is_held(id, ARGV[2]) then
  return 0
end
redis.call('ZREM', leased, id)
count('failed')
local known = redis.call('HMGET', task(id), 'deliveries', 'most')
local most = tonumber(known[2] or ARGV[5])
if ARGV[4] == '' or (most > 0 and tonumber(known[1]) >= most) then
  bury(id, ARGV[3])
  return 2
end
redis.call('HSET', task(id), 'error', ARGV[3])
make_delayed(id, now + tonumber(ARGV[4]) * 1000)
return 1
