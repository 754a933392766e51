package v1alpha1

// Condition types of a DatabaseSchema. Ready, Migrated and GateOpen are always
// there; the others only while they are true.
const (
	// ConditionReady is True when the schema is at its target and its pods
	// can start. It is the condition to wait for.
	ConditionReady = "Ready"

	// ConditionReconciling is True while the controller works towards the
	// target. It and ConditionStalled exclude each other (kstatus).
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when a person has to act before anything can go on.
	ConditionStalled = "Stalled"

	// ConditionMigrated says whether the database is at the target revision.
	ConditionMigrated = "Migrated"

	// ConditionGateOpen says whether pods that the schema serves are let through.
	ConditionGateOpen = "GateOpen"

	// ConditionDrifted is True when the live catalog differs from the one
	// expected at the applied revision.
	ConditionDrifted = "Drifted"

	// ConditionApprovalRequired is True while a plan waits for a person; its
	// message carries the digest to approve.
	ConditionApprovalRequired = "ApprovalRequired"
)

// Reasons of conditions, and of the events of the same name.
const (
	// ReasonUnknownAppVersion: the revision that a pod needs cannot be told
	// from its annotations or image tag.
	ReasonUnknownAppVersion = "UnknownAppVersion"

	// ReasonGateDisabled: spec.gate is Open, so no pod is held.
	ReasonGateDisabled = "GateDisabled"
)
