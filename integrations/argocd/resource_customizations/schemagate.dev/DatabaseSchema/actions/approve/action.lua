-- What is approved is the plan that the operator waits with, and no other one.
if obj.status ~= nil and obj.status.approval ~= nil and obj.status.approval.digest ~= nil then
  if obj.metadata.annotations == nil then
    obj.metadata.annotations = {}
  end
  obj.metadata.annotations["schemagate.dev/approve"] = obj.status.approval.digest
end
return obj
