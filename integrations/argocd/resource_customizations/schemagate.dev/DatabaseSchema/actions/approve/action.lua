-- What is approved is the plan that the operator waits with, and no other one.
if obj.status == nil or obj.status.approval == nil or obj.status.approval.digest == nil then
  error("no plan of this DatabaseSchema waits for an approval", 0)
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["schemagate.dev/approve"] = obj.status.approval.digest
return obj
