package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/requirement"
)

// Admission is what is decided about the gate of one pod.
type Admission struct {
	// Allowed says that the gate may be opened.
	Allowed bool

	// Reason and Message say why it may not.
	Reason, Message string
}

// Release decides whether the gate of a pod may be opened: by what is recorded
// in the schema's status, and by nothing else. A schema without a UID stands for
// one that does not exist; b is nil when the operator does not have the bundle.
func Release(schema *v1alpha1.DatabaseSchema, b *bundle.Bundle, pod *corev1.Pod) Admission {
	name := schema.Name
	switch {
	case schema.UID == "":
		return waits(v1alpha1.ReasonSchemaNotFound, "The pod waits for DatabaseSchema %s, which does not exist in its namespace.", name)
	case !schema.DeletionTimestamp.IsZero():
		return waits(v1alpha1.ReasonSchemaNotFound, "The pod waits for DatabaseSchema %s, which is being deleted.", name)
	case schema.Spec.Gate == v1alpha1.GateDisabled:
		return Admission{Allowed: true}
	case b == nil:
		return waits(v1alpha1.ReasonSchemaNotReady, "The operator does not have the bundle of DatabaseSchema %s.", name)
	}
	need, err := requirement.Of(pod)
	version := 0
	if err == nil {
		version, err = need.Resolve(b, explicit(schema), Overlay(schema.Spec)...)
	}
	if err != nil {
		return waits(v1alpha1.ReasonUnknownAppVersion, "The pod does not tell which revision it needs: %v.", err)
	}
	status := schema.Status
	switch {
	case ptr.Deref(status.ObservedGeneration, -1) != schema.Generation:
		return waits(v1alpha1.ReasonSchemaNotReady, "The pod needs revision %d; DatabaseSchema %s has changed and was not looked at yet.", version, name)
	case status.Gate.State != v1alpha1.GateOpen || status.Serves.From == 0:
		return waits(v1alpha1.ReasonSchemaNotReady, "The pod needs revision %d; DatabaseSchema %s serves none at the moment.", version, name)
	case version < int(status.Serves.From) || version > int(status.Serves.To):
		return waits(v1alpha1.ReasonSchemaNotReady, "The pod needs revision %d; DatabaseSchema %s serves %d to %d.",
			version, name, status.Serves.From, status.Serves.To)
	}
	return Admission{Allowed: true}
}

// explicit returns the target that stands for pods whose tag names no version.
func explicit(schema *v1alpha1.DatabaseSchema) int {
	if schema.Spec.Target.Type == v1alpha1.TargetWorkload || schema.Spec.Target.Type == "" {
		return 0
	}
	return int(schema.Status.TargetRevision.Version)
}

func waits(reason, format string, args ...any) Admission {
	return Admission{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
