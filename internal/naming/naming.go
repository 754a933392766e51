// Package naming holds the names that schemagate gives to objects, so that
// each is written down once.
package naming

import "github.com/schemagate/schemagate/api/v1alpha1"

// Names of the admission policies and of their bindings.
const (
	PolicyAdd          = "schemagate-gate-add"
	PolicyServed       = "schemagate-gate-served"
	PolicyClosed       = "schemagate-gate-closed"
	PolicyClosedServed = "schemagate-gate-closed-served"
	PolicyKeep         = "schemagate-gate-keep"
	PolicyFixed        = "schemagate-gate-fixed"
)

const (
	// FieldOwner owns the fields that the operator applies.
	FieldOwner = "schemagate"

	// LabelManagedBy and ManagedBy mark the objects that the operator creates.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "schemagate"

	// LabelJobSchema on a migration Job and its pod names the DatabaseSchema
	// they belong to. It is not v1alpha1.LabelSchema: the gate would hold the
	// migration that it waits for.
	LabelJobSchema = v1alpha1.GroupName + "/migrates"
)
