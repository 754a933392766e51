// Package controllers holds the operator's controllers, and the permissions
// that they need: each marker below becomes a rule of the operator's role.
//
// The operator has no permission on Secrets: credentials reach the migration
// pod by reference only.
package controllers

// The resources the operator is for. The status is applied; the spec is never
// written. Updating databaseschemas/gate is no call: it is what the admission
// policy asks for when a scheduling gate is taken off.
//
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas,verbs=get;list;watch
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/status,verbs=get;patch
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/gate,verbs=update
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/finalizers,verbs=update

// Labeled pods are watched, their gate is taken off by a patch, and a drain
// deletes them.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch;delete

// Migrations run as Jobs, which are created suspended, released by a patch and
// deleted when the plan changes.
//
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;patch;delete

// Events tell people what happened.
//
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
