-- Conditions follow kstatus: Ready is always there, Stalled only while a person is
-- needed, ApprovalRequired only while a plan waits for one.
local hs = { status = "Progressing", message = "Waiting for the operator" }
if obj.metadata.generation == nil or obj.status == nil or obj.status.conditions == nil or
    obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local ready = conditions["Ready"]
if ready == nil then
  return hs
end
hs.message = ready.message

local stalled = conditions["Stalled"]
local approval = conditions["ApprovalRequired"]
if stalled ~= nil and stalled.status == "True" then
  hs.status = "Degraded"
  hs.message = stalled.message
  return hs
end
if approval ~= nil and approval.status == "True" then
  hs.status = "Suspended"
  hs.message = approval.message
  return hs
end
if ready.status == "True" then
  hs.status = "Healthy"
  return hs
end
if ready.reason == "Suspended" and obj.spec ~= nil and obj.spec.suspend then
  hs.status = "Suspended"
end
return hs
