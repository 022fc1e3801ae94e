-- Returns how many users are there, and how many connections.
sweep()
return { redis.call('HLEN', users), redis.call('ZCARD', presence) }
