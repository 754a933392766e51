local suspended = obj.spec ~= nil and obj.spec.suspend == true
-- The digest of a plan that was made for an older spec is not offered.
local approvable = obj.status ~= nil and obj.status.approval ~= nil and obj.status.approval.digest ~= nil and
    obj.status.observedGeneration == obj.metadata.generation

return {
  approve = { ["disabled"] = not approvable, ["iconClass"] = "fa fa-fw fa-check" },
  retry = { ["disabled"] = suspended, ["iconClass"] = "fa fa-fw fa-redo" },
  verify = { ["disabled"] = suspended, ["iconClass"] = "fa fa-fw fa-search" },
  suspend = { ["disabled"] = suspended, ["iconClass"] = "fa fa-fw fa-pause" },
  resume = { ["disabled"] = not suspended, ["iconClass"] = "fa fa-fw fa-play" }
}
