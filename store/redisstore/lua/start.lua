-- Start: take and begin, on one server. KEYS and ARGV are Take's, then Begin's. It returns what Take packed and, where that
-- admitted a request that was not seen before, Begin's answer.

local taken, new = take({unpack(KEYS, 1, #KEYS - 1)}, {unpack(ARGV, 1, TAKE_ARGS)})
if new then taken[2] = begin({KEYS[#KEYS]}, {unpack(ARGV, TAKE_ARGS + 1)}) end
return taken
