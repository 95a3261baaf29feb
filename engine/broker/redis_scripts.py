"""What is done inside Redis in one step: taking, settling and giving back messages, and clearing up after the dead.

Each script is atomic. So a message is at every moment in exactly one place: in a list, where it waits, or in the hash
of the connection that holds it. kombu's way, to pop a message and to note it afterwards, loses it when the process is
killed in between.

A connection is its lease, a key that expires unless it is renewed. Every connection clears up after those whose lease
has run out: what they held goes back, and queues of their own vanish. As kombu's workers keep what they hold elsewhere,
nothing of theirs is touched.
"""

from __future__ import annotations

from typing import Final

from engine.broker.redis_envelope import STEPS
from engine.broker.topology import MARKER_QUEUE

#: Every queue that exists: an empty list is no key in Redis, so that an empty queue and a missing one look the same.
QUEUES: Final = "baton:queues"

#: The ids of all connections that have not been cleared up after.
CONNECTIONS: Final = "baton:connections"

_STEPS: Final = ", ".join(f"'{step}'" for step in STEPS)

_PRELUDE: Final = f"""
local QUEUES, CONNECTIONS = '{QUEUES}', '{CONNECTIONS}'
local STEPS = {{{_STEPS}}}
local AGAIN = '{{"redelivered":true,'

local function lease(id) return 'baton:connection:' .. id end
local function held(id) return 'baton:held:' .. id end
local function owned(id) return 'baton:owned:' .. id end
local function active(queue) return 'baton:active:' .. queue end

-- A delivery is named by its number, by which deliveries are put in order, and the list that it comes from.
local function put_back(id, delivery)
  local payload = redis.call('HGET', held(id), delivery)
  if not payload then return end
  redis.call('HDEL', held(id), delivery)
  if string.sub(payload, 1, 7) == '{{"body"' then payload = AGAIN .. string.sub(payload, 2) end
  redis.call('RPUSH', string.sub(delivery, 14), payload)
end

local function put_all_back(id, deliveries)
  table.sort(deliveries)
  -- The youngest first, so that the oldest is the next to be taken.
  for at = #deliveries, 1, -1 do put_back(id, deliveries[at]) end
end

local function drop(queue)
  for _, step in ipairs(STEPS) do redis.call('DEL', queue .. step) end
  redis.call('SREM', QUEUES, queue)
  redis.call('DEL', active(queue))
end

local function release(id)
  put_all_back(id, redis.call('HKEYS', held(id)))
  for _, queue in ipairs(redis.call('SMEMBERS', owned(id))) do drop(queue) end
  redis.call('DEL', lease(id), owned(id))
  redis.call('SREM', CONNECTIONS, id)
end

local function clear_up()
  for _, id in ipairs(redis.call('SMEMBERS', CONNECTIONS)) do
    if redis.call('EXISTS', lease(id)) == 0 then release(id) end
  end
end

local function is_the_active_one(id, queue)
  local one = redis.call('GET', active(queue))
  if one and one ~= id then
    if redis.call('EXISTS', lease(one)) == 1 then return false end
    release(one)
  end
  if one ~= id then redis.call('SET', active(queue), id) end
  return true
end
"""

_MAKE_KNOWN: Final = f"""
local function make_known(queue)
  -- A full Redis allows this, and therefore what follows.
  redis.call('SREM', '{QUEUES}', '')
  if redis.call('SADD', '{QUEUES}', queue) == 0 then return end
  for _, step in ipairs({{{_STEPS}}}) do redis.call('PERSIST', queue .. step) end
end
"""

#: id, milliseconds of the lease, id of the connection before or '', the server's run, '1' if it keeps all it is told.
#: Begins a connection. A server that has started anew, and does not log what it is told, has lost something, even if
#: an older snapshot brought the marker back: so the marker goes, and the rescuer sees it.
BEGIN: Final = f"""{_PRELUDE}
local id, milliseconds, before, run, durable = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- The first write of a script must be one that a full Redis allows; all others are allowed then.
redis.call('SREM', CONNECTIONS, id)
if before ~= '' then release(before) end
redis.call('SET', lease(id), '', 'PX', milliseconds)
redis.call('SADD', CONNECTIONS, id)
clear_up()
local known = redis.call('GET', 'baton:server')
if run ~= '' and known ~= run then
  if known and durable ~= '1' then redis.call('DEL', '{MARKER_QUEUE}') end
  redis.call('SET', 'baton:server', run)
end
"""

#: id, milliseconds: renews the lease, and clears up; 0 when there is none to renew.
BEAT: Final = f"""{_PRELUDE}
if redis.call('PEXPIRE', lease(ARGV[1]), ARGV[2]) == 0 then return 0 end
clear_up()
return 1
"""

#: id, milliseconds, number of the last delivery, most messages, most bytes, then for each queue its name, how many of
#: its messages may be taken, and '1' if only one connection at a time may: returns deliveries and payloads in turn, nil
#: without a lease. One message is taken in any case, however large.
FETCH: Final = f"""{_PRELUDE}
local id, number, limit, bytes = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('PEXPIRE', lease(id), ARGV[2]) == 0 then return false end
local taken = {{}}
for at = 6, #ARGV, 3 do
  local queue, room = ARGV[at], math.min(tonumber(ARGV[at + 1]), limit)
  if ARGV[at + 2] == '1' and not is_the_active_one(id, queue) then room = 0 end
  for _, step in ipairs(STEPS) do
    while room > 0 and bytes > 0 do
      local payload = redis.call('RPOP', queue .. step)
      if not payload then break end
      number, room, limit, bytes = number + 1, room - 1, limit - 1, bytes - #payload
      local delivery = string.format('%012d %s', number, queue .. step)
      redis.call('HSET', held(id), delivery, payload)
      taken[#taken + 1] = delivery
      taken[#taken + 1] = payload
    end
  end
end
return taken
"""

#: id, deliveries …: puts them back where they came from.
REJECT: Final = f"""{_PRELUDE}
local deliveries = {{}}
for at = 2, #ARGV do deliveries[#deliveries + 1] = ARGV[at] end
put_all_back(ARGV[1], deliveries)
"""

#: id, delivery, list, payload: takes one message out of the middle of a list; 0 when it is not there any more.
TAKE: Final = f"""{_PRELUDE}
if redis.call('LREM', ARGV[3], 1, ARGV[4]) == 0 then return 0 end
redis.call('HSET', held(ARGV[1]), ARGV[2], ARGV[4])
return 1
"""

#: id, queue: makes this connection the active one, if there is none.
CLAIM: Final = f"""{_PRELUDE}
redis.call('SREM', CONNECTIONS, '')
is_the_active_one(ARGV[1], ARGV[2])
"""

#: queue: returns 1 if there is an active connection and 0 if there is none, nil if there is no such queue.
COUNT: Final = f"""{_PRELUDE}
if redis.call('SISMEMBER', QUEUES, ARGV[1]) == 0 then return false end
local one = redis.call('GET', active(ARGV[1]))
return one and redis.call('EXISTS', lease(one)) or 0
"""

#: id, queue: lets another connection be the active one.
LEAVE: Final = f"""{_PRELUDE}
if redis.call('GET', active(ARGV[2])) == ARGV[1] then redis.call('DEL', active(ARGV[2])) end
"""

#: id, queue: declares a queue that vanishes with the connection.
OWN: Final = f"""{_PRELUDE}{_MAKE_KNOWN}
make_known(ARGV[2])
redis.call('SADD', owned(ARGV[1]), ARGV[2])
"""

#: id: ends a connection.
END: Final = f"""{_PRELUDE}
release(ARGV[1])
"""

#: queues …: makes them known. What waited there for a reader that might come stays now.
DECLARE: Final = f"""{_MAKE_KNOWN}
for _, queue in ipairs(ARGV) do make_known(queue) end
"""

#: seconds, queue, payloads …: for messages that nobody wants if the queue is missing. A queue that kombu declares
#: leaves no trace in Redis, so its reader may be there all the same: for a while they wait for it.
OFFER: Final = f"""
for at = 3, #ARGV do redis.call('LPUSH', ARGV[2], ARGV[at]) end
if redis.call('SISMEMBER', '{QUEUES}', ARGV[2]) == 0 then redis.call('EXPIRE', ARGV[2], ARGV[1]) end
"""
