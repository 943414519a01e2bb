-- Asks Doorward whether a request may pass. For HAProxy 2.6 or newer:
--
--   global
--       lua-load /etc/haproxy/doorward.lua
--   frontend …
--       http-request lua.doorward http://127.0.0.1:4180/auth/forwarded if { … }
--       http-response add-header Set-Cookie %[var(txn.doorward_cookie)] if { var(txn.doorward_cookie) -m found }
--
-- A 2xx lets the request go on, as the person whom Doorward names. Every other
-- answer goes to the client as it is. Without an answer the client gets 503.

-- Who it is. What a client sends under these names never reaches the app.
local identity = {
	"x-auth-request-user",
	"x-auth-request-email",
	"x-auth-request-preferred-username",
	"x-auth-request-name",
	"x-auth-request-groups",
}

-- What Doorward looks at. Nothing else of the client goes along, so that no
-- client can describe its own request.
local passed_on = {
	"cookie",
	"authorization",
	"accept",
	"content-type",
	"sec-fetch-mode",
	"origin", -- with the next, for rules with cors
	"access-control-request-method",
	"sec-websocket-key",
	"x-requested-with",
	"x-request-id",
}

-- Headers that belong to one connection, or that HAProxy writes itself.
local not_copied = {
	["connection"] = true,
	["keep-alive"] = true,
	["transfer-encoding"] = true,
	["content-length"] = true,
	["date"] = true,
}

local milliseconds = 5000 -- until there is no answer

-- The lines of a header, in their order. HAProxy counts them from 0.
local function lines(headers, name)
	local found = {}
	local values = headers and headers[name]
	if values then
		local i = 0
		while values[i] do
			found[#found + 1] = values[i]
			i = i + 1
		end
	end
	return found
end

local function question(txn)
	local sent = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-proto"] = { txn.f:ssl_fc() and "https" or "http" },
		["x-forwarded-host"] = { txn.sf:req_fhdr("host") },
		["x-forwarded-uri"] = { txn.sf:pathq() },
		["x-forwarded-for"] = { txn.sf:src() },
	}
	for _, name in ipairs(passed_on) do
		local values = lines(sent, name)
		if #values > 0 then
			headers[name] = values
		end
	end
	return headers
end

-- Some apps cannot tell X_Auth_Request_User from X-Auth-Request-User.
local function is_identity(name)
	local plain = name:gsub("[_.]", "-")
	for _, known in ipairs(identity) do
		if plain == known then
			return true
		end
	end
	return false
end

local function set_identity(txn, headers)
	for name in pairs(txn.http:req_get_headers()) do
		if is_identity(name) then
			txn.http:req_del_header(name)
		end
	end
	for _, name in ipairs(identity) do
		for _, value in ipairs(lines(headers, name)) do
			txn.http:req_add_header(name, value)
		end
	end
end

local function refuse(txn, answer)
	local reply = txn:reply({ status = answer.status, reason = answer.reason })
	for name in pairs(answer.headers or {}) do
		if not not_copied[name] then
			for _, value in ipairs(lines(answer.headers, name)) do
				reply:add_header(name, value)
			end
		end
	end
	if txn.sf:method() ~= "HEAD" then
		reply:set_body(answer.body or "")
	end
	txn:done(reply)
end

local no_answer = { status = 503, reason = "Service Unavailable" }

local function ask(txn, check)
	local asked, answer = pcall(function()
		return core.httpclient():get({ url = check, headers = question(txn), timeout = milliseconds })
	end)
	if not asked then
		core.Alert("doorward: " .. tostring(answer))
	end
	local status = asked and answer and answer.status or 0
	if status < 200 or status == 502 or status == 504 then -- HAProxy's own words for no answer
		refuse(txn, no_answer)
	elseif status > 299 then
		refuse(txn, answer)
	else
		set_identity(txn, answer.headers)
		local cookie = lines(answer.headers, "set-cookie")[1]
		if cookie then
			txn:set_var("txn.doorward_cookie", cookie) -- a renewed session
		end
	end
end

core.register_action("doorward", { "http-req" }, ask, 1) -- one argument: the address of /auth/forwarded
