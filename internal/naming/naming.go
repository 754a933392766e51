// Package naming holds the names that schemagate gives to objects, so that
// each is written down once.
package naming

import "github.com/schemagate/schemagate/api/v1alpha1"

// Names of the admission policies and of their bindings.
const (
	PolicyPrefix       = "schemagate-gate-"
	PolicyAdd          = PolicyPrefix + "add"
	PolicyServed       = PolicyPrefix + "served"
	PolicyClosed       = PolicyPrefix + "closed"
	PolicyClosedServed = PolicyPrefix + "closed-served"
	PolicyKeep         = PolicyPrefix + "keep"
	PolicyFixed        = PolicyPrefix + "fixed"
)

const (
	// Namespace is where the operator runs, and ServiceAccount its account,
	// as config/ has them.
	Namespace      = "schemagate-system"
	ServiceAccount = "schemagate"

	// LeaderElectionID names the Lease of the operator's leader.
	LeaderElectionID = "schemagate-leader.schemagate.dev"

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
