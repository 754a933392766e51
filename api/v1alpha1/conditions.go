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

// Reasons of conditions, and of the events of the same name. A migration that
// fails has the reason that its Job reports, such as PreflightFailed or
// DatabaseOwned.
const (
	// ReasonUpToDate: the database is at the target, and pods that need it start.
	ReasonUpToDate = "UpToDate"

	// ReasonNoWorkload: no labeled pod needs a revision, so there is nothing to do.
	ReasonNoWorkload = "NoWorkload"

	// ReasonMigrating: a migration is being prepared or runs.
	ReasonMigrating = "Migrating"

	// ReasonInspecting: a Job finds out where the database stands.
	ReasonInspecting = "Inspecting"

	// ReasonJobRejected: the API server does not take a Job: by a quota, by admission
	// control, or because of what the spec has it contain. It is tried again.
	ReasonJobRejected = "JobRejected"

	// ReasonHolding: pods are held because a pending revision is fencing, and
	// the migration starts when every API server has heard of it.
	ReasonHolding = "Holding"

	// ReasonDraining: running pods that the pending revisions would break are
	// being ended.
	ReasonDraining = "Draining"

	// ReasonDrainTimeout: pods are still there after
	// spec.rollout.drainTimeoutSeconds.
	ReasonDrainTimeout = "DrainTimeout"

	// ReasonCheckingImage: before anything is drained, a short pod shows that
	// the image of the pods that wait can be pulled.
	ReasonCheckingImage = "CheckingImage"

	// ReasonApplicationImageUnavailable: it cannot, so nothing is drained.
	ReasonApplicationImageUnavailable = "ApplicationImageUnavailable"

	// ReasonBackingUp: the Job made from spec.rollout.before.cronJob runs.
	ReasonBackingUp = "BackingUp"

	// ReasonBackupFailed: that Job has failed.
	ReasonBackupFailed = "BackupFailed"

	// ReasonCronJobMissing: spec.rollout.before.cronJob does not exist.
	ReasonCronJobMissing = "CronJobMissing"

	// ReasonCleaningUp: a Job that no plan stands behind any more is removed.
	ReasonCleaningUp = "CleaningUp"

	// ReasonFencingRevisionsPending: a pending revision is fencing, labeled pods
	// run that it would break, and spec.gate is Open, so that whatever is ended
	// comes back.
	ReasonFencingRevisionsPending = "FencingRevisionsPending"

	// ReasonDowngradeRequired: pods need an older revision than the database
	// can serve, and downgrades are not allowed.
	ReasonDowngradeRequired = "DowngradeRequired"

	// ReasonAwaitingApproval: the plan destroys data, and nobody has approved it.
	ReasonAwaitingApproval = "AwaitingApproval"

	// ReasonSuspended: spec.suspend is set.
	ReasonSuspended = "Suspended"

	// ReasonDatabaseShared: an older DatabaseSchema refers to the same database.
	ReasonDatabaseShared = "DatabaseShared"

	// ReasonInvalidReleases: spec.migrations.releases contradicts the bundle.
	ReasonInvalidReleases = "InvalidReleases"

	// ReasonUnknownRevision: spec.target names no revision of the bundle.
	ReasonUnknownRevision = "UnknownRevision"

	// ReasonUnknownAppVersion: the revision that a pod needs cannot be told
	// from its annotations or image tag.
	ReasonUnknownAppVersion = "UnknownAppVersion"

	// ReasonSchemaNotFound: a pod names a DatabaseSchema that is not there.
	ReasonSchemaNotFound = "SchemaNotFound"

	// ReasonSchemaNotReady: a pod needs what the database does not serve yet.
	ReasonSchemaNotReady = "SchemaNotReady"

	// ReasonGateDisabled: spec.gate is Open, so no pod is held.
	ReasonGateDisabled = "GateDisabled"

	// ReasonPoliciesMissing: admission policies are not in the cluster, so pods
	// get no gate by themselves.
	ReasonPoliciesMissing = "PoliciesMissing"

	// ReasonGateEnforced is that of the event that follows when spec.gate is
	// Enforced again.
	ReasonGateEnforced = "GateEnforced"

	// ReasonServing: pods within status.serves are let through.
	ReasonServing = "Serving"

	// ReasonNotInspected: no Job has looked at the database yet, or what it
	// found may have changed since.
	ReasonNotInspected = "NotInspected"

	// ReasonJobLost: a migration Job ended without telling what it left.
	ReasonJobLost = "JobLost"

	// ReasonDeadlineExceeded: a migration Job ran for longer than
	// spec.execution.activeDeadlineSeconds.
	ReasonDeadlineExceeded = "DeadlineExceeded"

	// ReasonDrifted: the live catalog differs from the expected one; with
	// spec.policy.drift Block, nothing is migrated while it does.
	ReasonDrifted = "Drifted"

	// ReasonSucceeded is the result of a migration that succeeded.
	ReasonSucceeded = "Succeeded"
)
