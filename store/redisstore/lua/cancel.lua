-- Cancel: ARGV[3] app, [4] key, [5] body, [6] the status.

local early = open(ARGV[3]) or again(ARGV[4], ARGV[5])
if early then return early end
local status = tonumber(ARGV[6])
if r[R_STATUS] == status and status ~= CANCELED then return answer(RES_OK, 0, 0, 1) end
early = closed()
if early then return early end

stop(r, tail, status)
r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], RES_OK, 0)
raw = write(r, tail, false)
save_phone()
return answer(RES_OK)
