-- Sends each request of a file in turn and prints the counts. One thread, so that the turn is one for all connections.
-- BENCH_REQUESTS names a file with one path and one bearer token a line, separated by a blank; the token may be absent.

local requests, turn = {}, 0

function init()
  for line in io.lines(os.getenv("BENCH_REQUESTS")) do
    local path, token = line:match("^(%S+) ?(%S*)$")
    local headers = { Host = "127.0.0.1" }
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nBENCH {"requests":%d,"seconds":%f,"failed":%d,"p50Ms":%f,"p99Ms":%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
