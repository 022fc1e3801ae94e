-- The environment of scripts. Redis marks its tables read-only inside Lua; stock Lua 5.1 has no such
-- mark, so a protected table is an empty one that looks through to the table behind it and refuses
-- assignment. What can see or change a table without asking its metatable is wrapped here.
local lift, handler, judge, blame, api = ...

local error, type, select, next, tonumber, tostring = error, type, select, next, tonumber, tostring
local pcall0, xpcall0, rawget0, rawset0 = pcall, xpcall, rawget, rawset
local getmetatable0, setmetatable0, loadstring0, collectgarbage0 =
  getmetatable, setmetatable, loadstring, collectgarbage
local resume0, insert0, foreach0 = coroutine.resume, table.insert, table.foreach
local byte, gsub, find0, concat, unpack0 = string.byte, string.gsub, string.find, table.concat, unpack

local READONLY = "Attempt to modify a readonly table"
-- What stands behind a protected table, and what a script gets as its metatable.
local behind, shown = {}, {}

local function readonly() error(READONLY, 2) end

local function protect(content)
  local face = {}
  behind[face] = content
  return setmetatable0(face, { __index = content, __newindex = readonly })
end

local function missing(...)
  if select("#", ...) ~= 2 then error("Wrong number of arguments to luaProtectedTableError", 2) end
  local _, name = ...
  if type(name) ~= "string" and type(name) ~= "number" then
    error("Second argument to luaProtectedTableError must be a string or number", 2)
  end
  error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end

-- The words of Lua's own C functions about an argument.
local function bad(level, n, name, what)
  blame("bad argument #" .. n .. " to '?' (" .. what .. ")", level, name)
end

local function expect(n, name, expected, ...)
  if type((...)) ~= expected then
    bad(3, n, name, expected .. " expected, got " .. (select("#", ...) == 0 and "no value" or type((...))))
  end
end

-- What went wrong in Rust is an object of its own until a script gets to see it.
local function seen(e)
  if type(e) == "userdata" then return (lift(e)) end
  return e
end

local function caught(ok, ...)
  if ok then return true, ... end
  local e = seen((...))
  if type(e) == "table" then
    local text = e.err
    if type(text) == "string" or type(text) == "number" then return false, text end
  end
  return false, e
end

local function resumed(ok, ...)
  if ok then return true, ... end
  return false, seen((...))
end

local function copy(content)
  local all = {}
  for k, v in next, content do all[k] = v end
  return all
end

local coroutine_face
local wrapped = {
  pcall = function(...) return caught(pcall0(...)) end,
  xpcall = function(f, h)
    if type(h) ~= "function" then return resumed(xpcall0(f, h)) end
    return resumed(xpcall0(f, function(e)
      if type(e) ~= "userdata" then return h(e) end
      local value, is_kill = lift(e)
      if is_kill then return value end
      return h(value)
    end))
  end,
  pairs = function(...)
    local t = ...
    local content = behind[t]
    if content then return next, copy(content), nil end
    if type(t) ~= "table" then expect(1, "pairs", "table", ...) end
    return next, t, nil
  end,
  rawget = function(...)
    local t, k = ...
    if type(t) ~= "table" then expect(1, "rawget", "table", ...) end
    if k == nil and select("#", ...) < 2 then bad(2, 2, "rawget", "value expected") end
    return rawget0(behind[t] or t, k)
  end,
  rawset = function(...)
    local t, k, v = ...
    if behind[t] then error(READONLY, 0) end
    if type(t) ~= "table" then expect(1, "rawset", "table", ...) end
    local n = select("#", ...)
    if n < 3 then bad(2, n < 2 and 2 or 3, "rawset", "value expected") end
    if k == nil then error("table index is nil", 0) end
    if k ~= k then error("table index is NaN", 0) end
    return rawset0(t, k, v)
  end,
  getmetatable = function(...)
    local t = ...
    if type(t) == "string" then t = "" end
    local known = t ~= nil and shown[t]
    if known then return known end
    if behind[t] then return nil end
    if select("#", ...) == 0 then bad(2, 1, "getmetatable", "value expected") end
    return getmetatable0(t)
  end,
  setmetatable = function(...)
    local t, meta = ...
    if behind[t] then error(READONLY, 0) end
    if type(t) ~= "table" then expect(1, "setmetatable", "table", ...) end
    if (type(meta) ~= "table" and type(meta) ~= "nil") or select("#", ...) < 2 then
      bad(2, 2, "setmetatable", "nil or table expected")
    end
    local old = getmetatable0(t)
    if type(old) == "table" and rawget0(old, "__metatable") ~= nil or old ~= nil and type(old) ~= "table" then
      error("cannot change a protected metatable", 2)
    end
    return setmetatable0(t, meta)
  end,
  collectgarbage = function(...)
    local option, arg = ...
    if option == nil or option == "collect" then return collectgarbage0("collect") end
    if option == "count" then return collectgarbage0("count") end
    if option == "step" then return collectgarbage0("step", tonumber(arg) or 0) end
    -- How the collector works is not a script's to decide: the next one would inherit it.
    if option == "stop" or option == "restart" then return 0 end
    if option == "setpause" or option == "setstepmul" then return 200 end
    if type(option) ~= "string" and type(option) ~= "number" then
      expect(1, "collectgarbage", "string", ...)
    end
    bad(2, 1, "collectgarbage", "invalid option '" .. option .. "'")
  end,
}

-- Bytecode can break the interpreter; as in Redis it is not even recognised.
local function compile(text, name)
  if byte(text, 1) ~= 27 then return loadstring0(text, name) end
  local _, message = loadstring0("\1", name)
  return nil, (gsub(message, "char%(1%)", "char(27)"))
end

wrapped.loadstring = function(...)
  local text, name = ...
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then expect(1, "loadstring", "string", ...) end
  if name ~= nil and type(name) ~= "string" and type(name) ~= "number" then
    bad(2, 2, "loadstring", "string expected, got " .. type(name))
  end
  return compile(text, name == nil and text or tostring(name))
end

wrapped.load = function(...)
  local read, name = ...
  if type(read) ~= "function" then expect(1, "load", "function", ...) end
  local parts, n = {}, 0
  while true do
    local ok, part = caught(pcall0(read))
    if not ok then return nil, part end
    if part == nil or part == "" then break end
    if type(part) ~= "string" and type(part) ~= "number" then
      return nil, "reader function must return a string"
    end
    n = n + 1
    parts[n] = part
    if n == 1 and byte(part, 1) == 27 then break end
  end
  return compile(concat(parts), name == nil and "=(load)" or tostring(name))
end

local libraries = {
  string = copy(string),
  math = copy(math),
  table = copy(table),
  coroutine = copy(coroutine),
  cjson = api.cjson,
  cmsgpack = api.cmsgpack,
  bit = api.bit,
  struct = api.struct,
}
libraries.math.random = api.random
libraries.math.randomseed = api.randomseed

libraries.coroutine.resume = function(...)
  if type((...)) ~= "thread" then bad(2, 1, "resume", "coroutine expected") end
  return resumed(resume0(...))
end

libraries.table.insert = function(...)
  local t, at = ...
  if behind[t] then error(READONLY, 0) end
  if type(t) ~= "table" then expect(1, "insert", "table", ...) end
  local n = select("#", ...)
  if n ~= 2 and n ~= 3 then error("wrong number of arguments to 'insert'", 2) end
  if n == 3 and not tonumber(at) then
    bad(2, 2, "insert", "number expected, got " .. type(at))
  end
  return insert0(...)
end

libraries.table.foreach = function(...)
  local t, f = ...
  if type(t) ~= "table" then expect(1, "foreach", "table", ...) end
  if type(f) ~= "function" then expect(2, "foreach", "function", select(2, ...)) end
  return foreach0(behind[t] or t, f)
end

-- Patterns that no subject can make fail. They are forgotten when there are many.
local sound, n_sound = {}, 0

local function is_sound(pattern)
  if sound[pattern] then return true end
  local verdict = judge(pattern)
  if verdict then
    if n_sound == 200 then sound, n_sound = {}, 0 end
    sound[pattern], n_sound = true, n_sound + 1
  end
  return verdict
end

local function pack(...) return select("#", ...), { ... } end

-- A function of C that matches patterns, kept from those that would overflow its stack. What is certain not to fail
-- goes straight to it; otherwise its error has to be raised from here as if it were raised there.
local function guarded(name, matcher, is_safe)
  return function(...)
    local subject, pattern, third, fourth = ...
    if type(pattern) == "string" then
      local is_fit = sound[pattern] or is_sound(pattern)
      if is_fit and type(subject) == "string" and is_safe(third, fourth) then
        return matcher(...)
      end
      if is_fit == false and not (matcher == find0 and fourth) then blame("pattern too complex", 1, name) end
    end
    local n, results = pack(pcall0(matcher, ...))
    if results[1] then return unpack0(results, 2, n) end
    local e = results[2]
    if type(e) ~= "string" then error(e, 0) end
    blame(e, 1, name)
  end
end

local function is_number_or_none(n) return n == nil or type(n) == "number" end

libraries.string.find = guarded("find", find0, is_number_or_none)
libraries.string.match = guarded("match", string.match, is_number_or_none)
libraries.string.gmatch = guarded("gmatch", string.gmatch, function() return true end)
libraries.string.gfind = libraries.string.gmatch
libraries.string.gsub = guarded("gsub", gsub, function(by, n)
  if type(by) == "string" then
    return not find0(by, "%", 1, true) and is_number_or_none(n)
  end
  -- What is called for a match may fail as it likes, and where it failed must not be lost.
  return type(by) == "function" and is_number_or_none(n)
end)

-- The methods of strings; a script sees a protected picture of their metatable.
getmetatable0("").__index = libraries.string

local base = {
  _VERSION = _VERSION, assert = assert, error = error, gcinfo = gcinfo, ipairs = ipairs, next = next,
  rawequal = rawequal, select = select, tonumber = tonumber, tostring = tostring, type = type,
  unpack = unpack,
}
for name, f in next, wrapped do base[name] = f end
for name, library in next, libraries do base[name] = protect(library) end
shown[""] = protect({ __index = base.string })

-- The globals of one kind of script: a face, and the table behind it.
local function globals(redis)
  local content = copy(base)
  if redis then content.redis = protect(redis) end
  local face = {}
  behind[face] = content
  setmetatable0(content, { __index = missing })
  setmetatable0(face, { __index = content, __newindex = readonly })
  content._G = face
  shown[face] = protect({ __index = missing })
  return face, content
end

local eval, eval_content = globals(api.eval)
eval_content.__redis__err__handler = handler
local library, library_content = globals(api.library)
-- While a library is loaded its globals are few, and a missing one is an error in `redis` too.
local loading_redis = setmetatable0(copy(api.loading), { __index = missing })
local loading_content = setmetatable0({ redis = protect(loading_redis) }, { __index = missing })
local library_meta = getmetatable0(library)

return {
  eval = eval,
  library = library,
  set_loading = function(is_loading)
    library_meta.__index = is_loading and loading_content or library_content
    behind[library] = is_loading and loading_content or library_content
  end,
  xpcall = xpcall0,
  set_words = function(keys, args) eval_content.KEYS, eval_content.ARGV = keys, args end,
  bind = function(f, keys, args)
    return function() return f(keys, args) end
  end,
}
