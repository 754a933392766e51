package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DatabaseSchema keeps one database at the revision that its application's
// pods need, and holds those pods until it is there.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dbs,categories=schemagate
// +kubebuilder:printcolumn:name="Applied",type=string,JSONPath=`.status.appliedRevision.id`,description="Revision the database is at"
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.status.targetRevision.id`,description="Revision the database is to be at"
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.status.appliedRevision.appVersion`,description="First application release that needs the applied revision"
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingPods`,description="Pods held by the gate"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.migrations.bundle`
// +kubebuilder:selectablefield:JSONPath=`.spec.gate`
// +kubebuilder:selectablefield:JSONPath=`.spec.suspend`
// +kubebuilder:selectablefield:JSONPath=`.status.gate.state`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",reason=FieldValueInvalid,fieldPath=".metadata",message="name must be at most 63 characters long: pods name their schema in a label value"
type DatabaseSchema struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name is at most 63
	// characters long, because pods name their schema in a label value.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec says which database, which revisions and how to roll them out.
	// +required
	Spec DatabaseSchemaSpec `json:"spec,omitzero"`

	// status is what the controller has seen and decided.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status DatabaseSchemaStatus `json:"status,omitempty,omitzero"`
}

// DatabaseSchemaList is a list of DatabaseSchema.
//
// +kubebuilder:object:root=true
type DatabaseSchemaList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []DatabaseSchema `json:"items"`
}

// DatabaseSchemaSpec says which database, which revisions and how to roll them out.
type DatabaseSchemaSpec struct {
	// database says how the migration Job reaches the database. The operator
	// itself never connects to it and never reads a credential.
	// +required
	Database Database `json:"database,omitzero"`

	// migrations is the source of the revisions.
	// +required
	Migrations Migrations `json:"migrations,omitzero"`

	// target is the revision the database is brought to. Defaults to the
	// highest revision that a labeled pod needs.
	// +optional
	// +kubebuilder:default={"type":"Workload"}
	Target Target `json:"target,omitempty,omitzero"`

	// rollout says how pods and migrations take turns.
	// +optional
	// +kubebuilder:default={"strategy":"Auto"}
	Rollout Rollout `json:"rollout,omitempty,omitzero"`

	// gate is Enforced, or Open to let every labeled pod start whatever the
	// database holds. Open is for emergencies; it takes effect without the
	// operator and is reported for as long as it lasts. Defaults to Enforced.
	// +optional
	// +kubebuilder:default=Enforced
	Gate GateMode `json:"gate,omitempty"`

	// policy says what may be done without asking.
	// +optional
	// +kubebuilder:default={"adopt":"Auto"}
	Policy Policy `json:"policy,omitempty,omitzero"`

	// execution shapes the migration Job.
	// +optional
	// +kubebuilder:default={"lockTimeoutSeconds":5}
	Execution Execution `json:"execution,omitempty,omitzero"`

	// suspend stops new decisions: a running Job ends, nothing new starts,
	// and pods that the recorded schema serves are still let through.
	// Defaults to false.
	// +optional
	// +kubebuilder:default=false
	Suspend *bool `json:"suspend,omitempty"`
}

// GateMode says whether labeled pods are held.
//
// +kubebuilder:validation:Enum=Enforced;Open
type GateMode string

// Gate modes.
const (
	// GateEnforced holds every labeled pod until the schema serves it.
	GateEnforced GateMode = "Enforced"

	// GateDisabled lets every labeled pod start.
	GateDisabled GateMode = "Open"
)

// Migrations is the source of the revisions: exactly one member that names one.
//
// +kubebuilder:validation:XValidation:rule="has(self.bundle)",reason=FieldValueRequired,fieldPath=".bundle",message="name the source of the revisions, for example bundle: open-webui"
// +kubebuilder:validation:MinProperties=1
type Migrations struct {
	// bundle names a set of revisions that is compiled into the operator.
	// +optional
	Bundle BundleName `json:"bundle,omitempty"`

	// releases tells which revision an application release needs where the
	// release is newer than the bundle knows. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=app
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Releases []Release `json:"releases,omitempty"`
}

// BundleName names a set of revisions that is compiled into the operator.
//
// +kubebuilder:validation:Enum=open-webui
type BundleName string

// BundleOpenWebUI holds the whole history of Open WebUI's database.
const BundleOpenWebUI BundleName = "open-webui"

// Release says which revision an application release needs.
type Release struct {
	// app is the release: three numbers, without a leading "v".
	// +required
	App AppVersion `json:"app,omitempty"`

	// revision is what the release needs: an order number or an id of the bundle.
	// +required
	Revision RevisionRef `json:"revision,omitempty"`
}

// AppVersion is an application release: three numbers without leading zeros,
// each of at most six digits, and nothing else.
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=20
// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,5})[.](0|[1-9][0-9]{0,5})[.](0|[1-9][0-9]{0,5})$')",reason=FieldValueInvalid,message="must be an application version of three numbers, for example 0.11.0"
type AppVersion string

// RevisionRef names a revision by its order number ("73") or its id
// ("f0bd01a18a3d").
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_]+$')",reason=FieldValueInvalid,message="must be the order number or the id of a revision, for example 73 or f0bd01a18a3d"
type RevisionRef string

// Target is the revision the database is brought to.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'AppVersion' || has(self.appVersion)",reason=FieldValueRequired,fieldPath=".appVersion",message="say which application version: type is AppVersion"
// +kubebuilder:validation:XValidation:rule="self.type == 'AppVersion' || !has(self.appVersion)",reason=FieldValueForbidden,fieldPath=".appVersion",message="must not be set unless type is AppVersion"
// +kubebuilder:validation:XValidation:rule="self.type != 'Revision' || has(self.revision)",reason=FieldValueRequired,fieldPath=".revision",message="say which revision: type is Revision"
// +kubebuilder:validation:XValidation:rule="self.type == 'Revision' || !has(self.revision)",reason=FieldValueForbidden,fieldPath=".revision",message="must not be set unless type is Revision"
// +kubebuilder:validation:MinProperties=1
type Target struct {
	// type says what decides the target: the labeled pods, an application
	// version or a revision. Defaults to Workload.
	// +optional
	// +kubebuilder:default=Workload
	Type TargetType `json:"type,omitempty"`

	// appVersion is the application release whose revision is the target.
	// Set exactly when type is AppVersion.
	// +optional
	AppVersion AppVersion `json:"appVersion,omitempty"`

	// revision is the target. Set exactly when type is Revision.
	// +optional
	Revision RevisionRef `json:"revision,omitempty"`
}

// TargetType says what decides the target revision.
//
// +kubebuilder:validation:Enum=Workload;AppVersion;Revision
type TargetType string

// Target types.
const (
	// TargetWorkload takes the highest known revision that a labeled pod needs.
	TargetWorkload TargetType = "Workload"

	// TargetAppVersion takes the revision that a named application release needs.
	TargetAppVersion TargetType = "AppVersion"

	// TargetRevision takes a named revision.
	TargetRevision TargetType = "Revision"
)

// Rollout says how pods and migrations take turns.
//
// +kubebuilder:validation:MinProperties=1
type Rollout struct {
	// strategy says whether pods keep running while the database is
	// migrated. Defaults to Auto: they do exactly when every pending revision
	// is additive.
	// +optional
	// +kubebuilder:default=Auto
	Strategy RolloutStrategy `json:"strategy,omitempty"`

	// drainTimeoutSeconds bounds how long a drain waits for running pods to
	// end before the schema is Stalled. In seconds, 1 to 86400; defaults to 300.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	DrainTimeoutSeconds int32 `json:"drainTimeoutSeconds,omitempty"`

	// checkImage has a short pod of the waiting pods' image started before
	// running pods are drained, so that nothing is drained for an image that
	// cannot be pulled. Defaults to true.
	// +optional
	// +kubebuilder:default=true
	CheckImage *bool `json:"checkImage,omitempty"`

	// ignoreSessions lists the application_name of database sessions that do
	// not keep a fencing revision from running, such as an exporter's. At
	// most 32, each of at most 63 bytes, PostgreSQL's limit.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	IgnoreSessions []string `json:"ignoreSessions,omitempty"`

	// before is what must have succeeded before running pods are drained.
	// +optional
	Before RolloutBefore `json:"before,omitempty,omitzero"`
}

// RolloutStrategy says whether pods keep running while the database is migrated.
//
// +kubebuilder:validation:Enum=Auto;Rolling;Drain
type RolloutStrategy string

// Rollout strategies.
const (
	// StrategyAuto drains exactly when a pending revision is fencing.
	StrategyAuto RolloutStrategy = "Auto"

	// StrategyRolling migrates while older pods serve.
	StrategyRolling RolloutStrategy = "Rolling"

	// StrategyDrain ends the older pods first, whatever is pending.
	StrategyDrain RolloutStrategy = "Drain"
)

// RolloutBefore is what must have succeeded before running pods are drained.
//
// +kubebuilder:validation:MinProperties=1
type RolloutBefore struct {
	// cronJob names a CronJob in the same namespace, usually the backup. A
	// Job made from it has to complete first.
	// +optional
	CronJob ObjectName `json:"cronJob,omitempty"`
}

// Policy says what may be done without asking.
//
// +kubebuilder:validation:MinProperties=1
type Policy struct {
	// adopt says whether a database that another tool has migrated is taken
	// over at the revision its catalog shows. Defaults to Auto.
	// +optional
	// +kubebuilder:default=Auto
	Adopt AdoptPolicy `json:"adopt,omitempty"`

	// downgrade says whether the database may be migrated down. Defaults to Forbid.
	// +optional
	// +kubebuilder:default=Forbid
	Downgrade DowngradePolicy `json:"downgrade,omitempty"`

	// destructive says whether revisions that remove or reshape data may run
	// when pods decide the target. An explicit target is its own approval.
	// Defaults to RequireApproval.
	// +optional
	// +kubebuilder:default=RequireApproval
	Destructive DestructivePolicy `json:"destructive,omitempty"`

	// drift says what a live catalog that differs from the expected one
	// means. Defaults to Warn.
	// +optional
	// +kubebuilder:default=Warn
	Drift DriftPolicy `json:"drift,omitempty"`

	// verifyIntervalSeconds is how often a Job looks at a database at which
	// nothing else is to be done: at its revision, and at its catalog by drift.
	// In seconds, 60 to 2592000; without it nobody looks unasked.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=2592000
	VerifyIntervalSeconds int32 `json:"verifyIntervalSeconds,omitempty"`

	// takeOwnership takes the database over from another owner that is
	// recorded in it. Set it for as long as it takes, then remove it.
	// Defaults to false.
	// +optional
	// +kubebuilder:default=false
	TakeOwnership *bool `json:"takeOwnership,omitempty"`
}

// AdoptPolicy says whether existing databases are adopted.
//
// +kubebuilder:validation:Enum=Auto;Never
type AdoptPolicy string

// Adoption policies.
const (
	// AdoptAuto adopts a database whose catalog is recognized.
	AdoptAuto AdoptPolicy = "Auto"

	// AdoptNever refuses any database that schemagate has not created.
	AdoptNever AdoptPolicy = "Never"
)

// DowngradePolicy says whether the database may be migrated down.
//
// +kubebuilder:validation:Enum=Forbid;RequireApproval;Allow
type DowngradePolicy string

// Downgrade policies.
const (
	// DowngradeForbid never migrates down.
	DowngradeForbid DowngradePolicy = "Forbid"

	// DowngradeRequireApproval migrates down once the plan is approved.
	DowngradeRequireApproval DowngradePolicy = "RequireApproval"

	// DowngradeAllow migrates down without asking.
	DowngradeAllow DowngradePolicy = "Allow"
)

// DestructivePolicy says whether destructive revisions may run unasked.
//
// +kubebuilder:validation:Enum=RequireApproval;Allow
type DestructivePolicy string

// Policies for destructive revisions.
const (
	// DestructiveRequireApproval waits for the plan to be approved.
	DestructiveRequireApproval DestructivePolicy = "RequireApproval"

	// DestructiveAllow runs them like any other.
	DestructiveAllow DestructivePolicy = "Allow"
)

// DriftPolicy says what drift means.
//
// +kubebuilder:validation:Enum=Ignore;Warn;Block
type DriftPolicy string

// Drift policies.
const (
	// DriftIgnore does not compare catalogs.
	DriftIgnore DriftPolicy = "Ignore"

	// DriftWarn reports drift.
	DriftWarn DriftPolicy = "Warn"

	// DriftBlock reports drift and migrates nothing while it lasts.
	DriftBlock DriftPolicy = "Block"
)
