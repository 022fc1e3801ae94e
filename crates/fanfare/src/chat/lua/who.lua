-- Returns who is there, and with how many connections.
sweep()
return redis.call('HGETALL', users)
