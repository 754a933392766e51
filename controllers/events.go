package controllers

// Reasons of events that no condition has. Every other event has the reason of the
// condition, or of the failed migration, that it tells of.
const (
	// EventMigrated: a migration has succeeded and is recorded.
	EventMigrated = "Migrated"

	// EventProgressDeadlineShort: a Deployment may be reported as failed while its
	// pods wait for the migration that is prepared.
	EventProgressDeadlineShort = "ProgressDeadlineShort"
)

// Actions of events that are none of a plan.
const (
	// ActionOpenGate and ActionCloseGate: spec.gate was set to Open, and back.
	ActionOpenGate  = "OpenGate"
	ActionCloseGate = "CloseGate"

	// ActionWait: a pod waits.
	ActionWait = "Wait"
)
