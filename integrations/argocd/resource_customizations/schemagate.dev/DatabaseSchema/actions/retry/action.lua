-- Any value that the annotation has not had asks once.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["schemagate.dev/retry"] = os.date("!%Y-%m-%dT%XZ")
return obj
