-- KEYS: the key, that of its version, the stream of announcements if there is one.
-- ARGV: the value, its time to live in milliseconds or '', how to announce, the channel, the key as JSON, how many
-- announcements a stream keeps, the key.
-- Nobody sees anything before the end. A server that takes no values (it is full, can not save ...) refuses the first
-- write of a script and no later one, and an announcement on a channel can not be taken back: so the writes are tried
-- first, with nothing.
local made = {}
local function undo(refusal)
  for _, key in ipairs(made) do redis.pcall('DEL', key) end
  return refusal
end
for i = 1, 2 do
  local was_there = redis.call('EXISTS', KEYS[i]) == 1
  local tried = redis.pcall('APPEND', KEYS[i], '')
  -- What is no text is overwritten.
  if type(tried) == 'table' and not string.find(tried.err, 'WRONGTYPE', 1, true) then return undo(tried) end
  if not was_there then made[#made + 1] = KEYS[i] end
end

local now = redis.call('TIME')
local version = now[1] * 1000000 + now[2]
local last = redis.pcall('GET', KEYS[2])
last = type(last) == 'string' and string.find(last, '^%d+$') and tonumber(last) or 0
if version <= last and last < 9007199254740991 then version = last + 1 end
version = string.format('%.0f', version)

local ttl = {}
if ARGV[2] ~= '' then ttl = {'PX', ARGV[2]} end
local told = false
if ARGV[3] == 'channel' then
  told = redis.pcall('PUBLISH', ARGV[4], '{"key":' .. ARGV[5] .. ',"version":' .. version .. '}')
elseif ARGV[3] == 'stream' then
  told = redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'key', ARGV[7], 'version', version)
end
if type(told) == 'table' and told.err then return undo(told) end
redis.call('SET', KEYS[1], ARGV[1], unpack(ttl))
redis.call('SET', KEYS[2], version, unpack(ttl))
return {version, told}
