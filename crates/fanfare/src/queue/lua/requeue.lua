-- ARGV: ID. 1: it is ready again, as if it had never been delivered; 0: it is no dead letter; a
-- text: the ID of another task that has its key.
local id = ARGV[1]
if not redis.call('ZSCORE', dead, id) then
  return 0
end
local known = redis.call('HMGET', task(id), 'state', 'unique', 'ahead')
if known[1] ~= 'dead' then
  redis.call('ZREM', dead, id)
  return 0
end
if known[2] then
  local lock = prefix .. 'unique:' .. known[2]
  local other = redis.call('GET', lock)
  if other and redis.call('PTTL', lock) == -1 and redis.call('EXISTS', task(other)) == 1 then
    return other
  end
end
redis.call('ZREM', dead, id)
if known[2] then
  redis.call('SET', prefix .. 'unique:' .. known[2], id)
end
redis.call('HSET', task(id), 'deliveries', 0)
-- Its time to live was for the first attempts.
redis.call('HDEL', task(id), 'finished', 'expires', 'first', 'awaited')
redis.call('DEL', prefix .. 'result:' .. id)
make_ready(id, stamp() - (num(known[3]) or 0))
count('requeued')
alert()
return 1
