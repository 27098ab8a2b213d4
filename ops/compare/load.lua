-- wrk's side of the comparison: requests on keys drawn at random, made once, and the result as one line
-- of JSON. Arguments: dialect (shardglass, etcd, http), operation (put, get, mix), number of keys,
-- bytes of a value, token.

local alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

local function base64(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 3, 0, -1 do
      local six = math.floor(bits / 64 ^ place) % 64
      local isPadding = (place == 1 and not b) or (place == 0 and not c)
      out[#out + 1] = isPadding and '=' or alphabet:sub(six + 1, six + 1)
    end
  end
  return table.concat(out)
end

local puts, gets, operation = {}, {}, 'put'

local function made(dialect, key, value, headers)
  if dialect == 'etcd' then
    local name = base64(key)
    local put = '{"key":"' .. name .. '","value":"' .. base64(value) .. '"}'
    return wrk.format('POST', '/v3/kv/put', headers, put),
      wrk.format('POST', '/v3/kv/range', headers, '{"key":"' .. name .. '"}')
  end
  return wrk.format('PUT', '/v1/kv/' .. key, headers, value),
    wrk.format('GET', '/v1/kv/' .. key, headers)
end

function init(args)
  local dialect, keys, bytes, token = args[1], tonumber(args[3]), tonumber(args[4]), args[5]
  operation = args[2]
  local headers = {}
  if dialect == 'etcd' then headers['Content-Type'] = 'application/json' end
  if token then headers['Authorization'] = 'Bearer ' .. token end
  local value = string.rep('v', bytes)
  for key = 0, keys - 1 do
    local put, get = made(dialect, string.format('load-%08d', key), value, headers)
    puts[#puts + 1] = put
    gets[#gets + 1] = get
  end
end

function request()
  local isRead = operation == 'get' or (operation == 'mix' and math.random() < 0.5)
  local requests = isRead and gets or puts
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    'JSON {"operations":%d,"micros":%d,"failed":%d,"p50":%.3f,"p90":%.3f,"p99":%.3f,"max":%.3f}\n',
    summary.requests, summary.duration, failed, latency:percentile(50) / 1000,
    latency:percentile(90) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
