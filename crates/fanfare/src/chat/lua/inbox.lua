-- What is sent to a user. KEYS: the inbox. ARGV: how many entries are kept, for how many milliseconds,
-- who sends, the text. Returns the entry's ID.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f', now - tonumber(ARGV[2])))
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], '*', 'type', 'message',
  'member', ARGV[3], 'text', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return id
