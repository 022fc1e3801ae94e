-- ARGV: name. Whether it was there.
redis.call('DEL', prefix .. 'schedule:' .. ARGV[1])
return redis.call('ZREM', prefix .. 'cron', ARGV[1])
