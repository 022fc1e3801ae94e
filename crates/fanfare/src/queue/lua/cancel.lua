-- ARGV: ID. 1: it will not be run; 0: it is being run, or is over, or was never there.
local id = ARGV[1]
if redis.call('ZREM', delayed, id) + redis.call('ZREM', ready, id) == 0 then
  return 0
end
finish(id, 'cancelled')
return 1
