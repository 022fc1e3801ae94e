-- ARGV: ID, token, worker, what failed, rest in milliseconds (empty: no attempt would help), deliveries at
-- most. 1: it is tried again; 2: it is with the dead letters; 0: the lease is another's or over.
local id = ARGV[1]
if not is_held(id, ARGV[2], ARGV[3]) then
  return 0
end
redis.call('ZREM', leased, id)
count('failed')
local known = redis.call('HMGET', task(id), 'deliveries', 'most')
local most = num(known[2]) or tonumber(ARGV[6])
if ARGV[5] == '' or (most > 0 and (num(known[1]) or most) >= most) then
  bury(id, ARGV[4])
  return 2
end
redis.call('HSET', task(id), 'error', ARGV[4])
make_delayed(id, now + tonumber(ARGV[5]) * 1000)
return 1
