-- Any new value asks once. The version of the object is one, for the operator writes
-- to the object when it has answered.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["schemagate.dev/verify"] = "argocd-" .. obj.metadata.resourceVersion
return obj
