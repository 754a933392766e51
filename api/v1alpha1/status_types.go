package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DatabaseSchemaStatus is what the controller has seen and decided.
//
// +kubebuilder:validation:MinProperties=1
type DatabaseSchemaStatus struct {
	// conditions of the schema. Ready, Migrated and GateOpen are always
	// there; Reconciling, Stalled, Drifted and ApprovalRequired only while true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status
	// belongs to; -1 until the controller has seen the resource.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// appliedRevision is the revision the database was last seen at. Absent
	// for a database that has not been looked at, or is empty.
	// +optional
	AppliedRevision RevisionStatus `json:"appliedRevision,omitempty,omitzero"`

	// targetRevision is the revision the database is to be at. Absent while
	// nothing needs one.
	// +optional
	TargetRevision RevisionStatus `json:"targetRevision,omitempty,omitzero"`

	// birth says which of the histories created the database. Its catalog
	// stays marked by it for ever.
	// +optional
	Birth Birth `json:"birth,omitempty"`

	// drift is how the live catalog differed from the one that the applied
	// revision leaves when a Job looked last. Absent when it did not, or when
	// spec.policy.drift is Ignore.
	// +optional
	Drift DriftStatus `json:"drift,omitempty,omitzero"`

	// tables are the largest of those that revisions of the bundle touch, when a
	// Job looked last, the largest first: at most 8. Absent for SQLite, which keeps
	// no count of them, and until PostgreSQL has counted them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Tables []TableStatus `json:"tables,omitempty"`

	// adoptedFrom says what recorded the database's revision before it was
	// adopted, for example "peewee 018". Absent for a database that
	// schemagate created.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AdoptedFrom string `json:"adoptedFrom,omitempty"`

	// serves is the interval of revisions whose pods can run on the database
	// as it is. Absent while pods are held.
	// +optional
	Serves Serves `json:"serves,omitempty,omitzero"`

	// gate says whether pods within serves are let through, and why.
	// +optional
	Gate GateStatus `json:"gate,omitempty,omitzero"`

	// waitingPods counts the labeled pods that the gate holds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	WaitingPods *int32 `json:"waitingPods,omitempty"`

	// verifiedTime is when a Job last looked at the database itself.
	// +optional
	VerifiedTime *metav1.Time `json:"verifiedTime,omitempty"`

	// source is the digest of what the recorded state belongs to: the
	// reference to the database, and who owns it. With another one, what is
	// recorded means nothing and pods are held until a Job has looked again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Source string `json:"source,omitempty"`

	// attempt is the migration that is at work, or the last one.
	// +optional
	Attempt Attempt `json:"attempt,omitempty,omitzero"`

	// approval is the plan that waits for a person. Absent while none does.
	// +optional
	Approval ApprovalStatus `json:"approval,omitempty,omitzero"`

	// lastHandledRetry is the value of the annotation schemagate.dev/retry
	// that was acted on last; the digest of one longer than 128 bytes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	LastHandledRetry string `json:"lastHandledRetry,omitempty"`

	// lastHandledVerify is the value of the annotation schemagate.dev/verify
	// that was acted on last; the digest of one longer than 128 bytes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	LastHandledVerify string `json:"lastHandledVerify,omitempty"`

	// history lists the last migrations, newest first, at most 10.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	History []HistoryEntry `json:"history,omitempty"`
}

// ApprovalStatus is a plan that nothing is done about until a person has approved
// it. The condition ApprovalRequired says what it would do.
type ApprovalStatus struct {
	// digest of the plan. The annotation schemagate.dev/approve with this value
	// approves it, and no other one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest,omitempty"`

	// from is the revision that the database is at.
	// +optional
	// +kubebuilder:validation:Minimum=1
	From int32 `json:"from,omitempty"`

	// to is the revision that the plan leads to.
	// +required
	// +kubebuilder:validation:Minimum=1
	To int32 `json:"to,omitempty"`
}

// RevisionStatus is one revision of the bundle.
type RevisionStatus struct {
	// version is the order number of the revision in its bundle.
	// +required
	// +kubebuilder:validation:Minimum=1
	Version int32 `json:"version,omitempty"`

	// id is the revision's own name in its history, such as Alembic's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	ID string `json:"id,omitempty"`

	// name says in a few words what the revision does.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`

	// appVersion is the first application release that contains the revision.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	AppVersion string `json:"appVersion,omitempty"`
}

// Birth says which history created a database.
//
// +kubebuilder:validation:Enum=peewee;peewee-0.9.5;alembic
type Birth string

// Births.
const (
	// BirthPeewee: created by a release up to 0.9.5.
	BirthPeewee Birth = "peewee"

	// BirthPeewee095: created by a release up to 0.9.5 and migrated with the
	// revisions as the releases 0.6.41 to 0.9.5 shipped them.
	BirthPeewee095 Birth = "peewee-0.9.5"

	// BirthAlembic: created by 0.9.6 or newer.
	BirthAlembic Birth = "alembic"
)

// Serves is an interval of revisions, and of the application releases that
// need them.
type Serves struct {
	// from is the oldest revision whose pods can run, inclusive.
	// +required
	// +kubebuilder:validation:Minimum=1
	From int32 `json:"from,omitempty"`

	// to is the newest revision whose pods can run, inclusive: the applied one.
	// +required
	// +kubebuilder:validation:Minimum=1
	To int32 `json:"to,omitempty"`

	// appFrom is the oldest application release that can run, inclusive.
	// Absent when no release needs a revision of the interval.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	AppFrom string `json:"appFrom,omitempty"`

	// appBefore bounds the application releases that can run, exclusive: the
	// first one that needs more, or the first that is not known.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	AppBefore string `json:"appBefore,omitempty"`
}

// GateStatus says whether pods are let through.
type GateStatus struct {
	// state is Open while pods within serves are let through, Held otherwise.
	// +required
	State GateState `json:"state,omitempty"`

	// reason says why, in one word.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// decision is the digest of the plan that the state belongs to.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Decision string `json:"decision,omitempty"`
}

// GateState says whether pods are let through.
//
// +kubebuilder:validation:Enum=Open;Held
type GateState string

// Gate states.
const (
	// GateOpen: pods within serves are let through.
	GateOpen GateState = "Open"

	// GateHeld: no pod is let through.
	GateHeld GateState = "Held"
)

// Attempt is one run of a migration Job.
type Attempt struct {
	// number counts the attempts of this DatabaseSchema. It never goes back,
	// so that no two of its Jobs have one name.
	// +required
	// +kubebuilder:validation:Minimum=1
	Number int64 `json:"number,omitempty"`

	// job is the name of the Job.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Job string `json:"job,omitempty"`

	// decision is the digest of the plan that the Job carries out.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Decision string `json:"decision,omitempty"`

	// inputs is the digest of what the plan follows from: the spec, the
	// target, the bundle and the database. While it stays the same, a failure
	// that needs a person is not tried again.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=71
	Inputs string `json:"inputs,omitempty"`

	// from is the revision that the database is taken to be at. Absent where
	// the Job has to find out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	From *int32 `json:"from,omitempty"`

	// to is the revision that the Job goes for.
	// +required
	// +kubebuilder:validation:Minimum=1
	To int32 `json:"to,omitempty"`

	// startTime is when the attempt was decided. Where it drains, the drain is
	// measured from here.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// state says how far the attempt is.
	// +required
	State AttemptState `json:"state,omitempty"`

	// reason of the failure. Absent unless the attempt has failed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// message says for people why the attempt failed and what to do. It holds
	// names and numbers, and no data.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// failures counts how many attempts in a row have failed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failures *int32 `json:"failures,omitempty"`

	// retryTime is when the next attempt begins. Absent unless there is one.
	// +optional
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
}

// AttemptState says how far an attempt is.
//
// +kubebuilder:validation:Enum=Pending;Succeeded;Retrying;Failed;Lost;Abandoned
type AttemptState string

// States of an attempt.
const (
	// AttemptPending: decided; its Job is to be made, waits or runs.
	AttemptPending AttemptState = "Pending"

	// AttemptSucceeded: the Job has done, or found out, what it was for.
	AttemptSucceeded AttemptState = "Succeeded"

	// AttemptRetrying: the Job failed for a reason that may mend; another
	// attempt follows.
	AttemptRetrying AttemptState = "Retrying"

	// AttemptFailed: the Job failed for a reason that needs a person.
	AttemptFailed AttemptState = "Failed"

	// AttemptLost: the Job ended without telling what it left, or was ended.
	AttemptLost AttemptState = "Lost"

	// AttemptAbandoned: given up before its Job began.
	AttemptAbandoned AttemptState = "Abandoned"
)

// HistoryEntry is one migration.
type HistoryEntry struct {
	// from is the revision before; 0 for an empty database.
	// +required
	// +kubebuilder:validation:Minimum=0
	From *int32 `json:"from,omitempty"`

	// to is the revision the migration went for; 0 for an empty database.
	// +required
	// +kubebuilder:validation:Minimum=0
	To *int32 `json:"to,omitempty"`

	// direction is Up, Down, or None where the database was only looked at.
	// +required
	Direction Direction `json:"direction,omitempty"`

	// startTime is when the migration pod started.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// durationSeconds is how long it took, in whole seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	DurationSeconds *int32 `json:"durationSeconds,omitempty"`

	// job is the name of the Job that ran it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Job string `json:"job,omitempty"`

	// result is Succeeded, or the reason of the failure.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Result string `json:"result,omitempty"`
}

// Direction is the way a migration went.
//
// +kubebuilder:validation:Enum=Up;Down;None
type Direction string

// Directions.
const (
	// DirectionUp applies revisions.
	DirectionUp Direction = "Up"

	// DirectionDown takes revisions back.
	DirectionDown Direction = "Down"

	// DirectionNone looks at the database only.
	DirectionNone Direction = "None"
)

// TableStatus is the size of a table, as PostgreSQL estimates it since it last
// vacuumed or analyzed the table.
type TableStatus struct {
	// name of the table.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// rows is the number of rows.
	// +required
	// +kubebuilder:validation:Minimum=0
	Rows *int64 `json:"rows,omitempty"`

	// bytes of the rows and of what is stored outside of them, without indexes.
	// +required
	// +kubebuilder:validation:Minimum=0
	Bytes *int64 `json:"bytes,omitempty"`
}

// DriftStatus is how a live catalog differs from the expected one.
type DriftStatus struct {
	// count of the differences.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// differences name tables, columns, keys and indexes that are missing or
	// not as they should be. At most 16 are listed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Differences []string `json:"differences,omitempty"`
}
