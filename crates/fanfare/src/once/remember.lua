-- KEYS: the stream, and where up to which sequence it was sent is remembered; of a channel that key
-- alone. ARGV: how long that is remembered (ms), the channel, then for each message its sequence, the
-- number of words, and the words. One without words is not sent, and is known from then on.
local memory = KEYS[#KEYS]
local last = tonumber(redis.call('GET', memory) or '0')
local before, at, settled, known = last, 3, 0, 0
local failed = false
while at <= #ARGV do
  local sequence, len = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  if sequence <= last then
    known = known + 1
  else
    local answer
    if len == 0 then
      answer = false
    elseif #KEYS == 2 then
      answer = redis.pcall('XADD', KEYS[1], unpack(ARGV, at + 2, at + 1 + len))
    else
      answer = redis.pcall('PUBLISH', ARGV[2], ARGV[at + 2])
    end
    if type(answer) == 'table' and answer.err then
      failed = answer.err
      break
    end
    last = sequence
  end
  settled = settled + 1
  at = at + 2 + len
end
if before < last or known > 0 then
  redis.call('SET', memory, string.format('%.0f', last), 'PX', ARGV[1])
end
return {settled, known, failed}
