-- Load for wrk. Arguments: start FIRST PATH KEY, or check FILE PATH KEY SKIP right|wrong. Every number and every code is
-- used once: threads take every second one.
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local count, limit = 0, nil
local lines = {}

function init(args)
  mode, path = args[1], args[3]
  headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. (args[4] or "") }
  if mode == "start" then
    first = tonumber(args[2]) + id
  else
    local n = 0
    for line in io.lines(args[2]) do
      if n % 2 == id then lines[#lines + 1] = line end
      n = n + 1
    end
    limit = #lines
    wrong = args[5] == "wrong"
  end
end

function request()
  if mode == "start" then
    local number = first + 2 * count
    count = count + 1
    return wrk.format("POST", path, headers, '{"to":"+1' .. string.format("%.0f", number) .. '","channel":"sms"}')
  end
  count = count + 1
  local line = lines[(count - 1) % limit + 1]
  local ver, to, code = line:match("(%S+) (%S+) (%S+)")
  if wrong then code = string.format("%06d", (tonumber(code) + 1) % 1000000) end
  if path == "/check" then
    return wrk.format("POST", path, headers, '{"id":"' .. ver .. '","to":"' .. to .. '","code":"' .. code .. '"}')
  end
  return wrk.format("POST", path:gsub("ID", ver), headers, '{"code":"' .. code .. '"}')
end

function response()
  if limit and count >= limit then wrk.thread:stop() end
end

function done(summary, latency)
  io.write(string.format("RESULT requests=%d duration=%d p50=%d p99=%d refused=%d errors=%d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
