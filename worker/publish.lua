-- Adds one message to the events stream, but only as the attempt that the job has now, only in its turn, and only
-- while the stream is not full. One script, so that nothing can come between the three checks and the write.
-- KEYS: stream, control record, position record. All three live on one server; a Redis cluster is not supported.
-- ARGV: attempt, most entries in the stream, message, position before, position after, life of the position in seconds.
--       position before "-": the message has no turn (a heartbeat), and the position stays as it is.
-- Returns {verdict, control record or "", position in force or "", id of the new entry or ""}.
local control = redis.call('GET', KEYS[2]) or ''
local position = redis.call('GET', KEYS[3]) or ''
if control ~= '' and cjson.decode(control).attempt ~= tonumber(ARGV[1]) then
  return {'fenced', control, position, ''}
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return {'full', control, position, ''}
end
if ARGV[4] == '-' then
  local entry = redis.call('XADD', KEYS[1], '*', 'm', ARGV[3])
  return {'sent', control, position, entry}
end
if position ~= ARGV[4] then
  return {'moved', control, position, ''}
end
local entry = redis.call('XADD', KEYS[1], '*', 'm', ARGV[3])
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6])
return {'sent', control, ARGV[5], entry}
