local actions = {
  approve = { ["disabled"] = true },
  retry = { ["disabled"] = false },
  verify = { ["disabled"] = false },
  suspend = { ["disabled"] = false },
  resume = { ["disabled"] = true }
}

if obj.status ~= nil and obj.status.approval ~= nil and obj.status.approval.digest ~= nil and
    obj.status.observedGeneration == obj.metadata.generation then
  actions["approve"]["disabled"] = false
end

if obj.spec ~= nil and obj.spec.suspend then
  actions["suspend"]["disabled"] = true
  actions["resume"]["disabled"] = false
end

return actions
