-- ARGV: 12 for each task.
return put(1)
