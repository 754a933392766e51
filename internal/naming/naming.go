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
	// ServiceAccount is the operator's account, as config/ has it.
	ServiceAccount = "schemagate"

	// LeaderElectionID names the Lease of the operator's leader.
	LeaderElectionID = "schemagate-leader.schemagate.dev"

	// FieldOwner owns the fields that the operator applies.
	FieldOwner = "schemagate"

	// LabelManagedBy marks the objects that the operator creates.
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// ManagedBy is the value of LabelManagedBy on them.
	ManagedBy = "schemagate"

	// LabelJobSchema on a migration Job and its pod names the DatabaseSchema
	// they belong to. It is not v1alpha1.LabelSchema: the gate would hold the
	// migration that it waits for.
	LabelJobSchema = v1alpha1.GroupName + "/migrates"

	// LabelPurpose tells Jobs that go before a migration from migrations, which
	// do not have it.
	LabelPurpose = v1alpha1.GroupName + "/purpose"
)
