-- ARGV: ID, token, worker, whether there is a result, the result. 1: done; 0: the lease is another's or over.
local id = ARGV[1]
if is_held(id, ARGV[2], ARGV[3]) then
  redis.call('ZREM', leased, id)
  finish(id, 'done', 'result', ARGV[4] == '1' and ARGV[5])
  return 1
end
-- Said a second time, since the first answer was lost.
local known = redis.call('HMGET', task(id), 'state', 'token', 'worker')
return (known[1] == 'done' and known[2] == ARGV[2] and known[3] == ARGV[3]) and 1 or 0
