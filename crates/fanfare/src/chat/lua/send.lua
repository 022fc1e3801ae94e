-- ARGV: member, text. Returns the entry's ID, or that the member is not there.
sweep()
if not redis.call('ZSCORE', presence, ARGV[3]) then
  return 'absent'
end
local id = append('type', 'message', 'member', ARGV[3], 'text', ARGV[4])
keep()
return id
