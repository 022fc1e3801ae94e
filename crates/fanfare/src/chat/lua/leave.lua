-- ARGV: member. Returns whether it was there.
sweep()
return go(ARGV[3], 'left')
