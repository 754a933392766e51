package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	acv1alpha1 "github.com/schemagate/schemagate/api/applyconfiguration/api/v1alpha1"
	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/runbook"
)

// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/status,verbs=get;patch

// isRecorded reports whether what a decision wants recorded before it is acted
// on stands in the status already. How many pods wait, and in what words, is
// not part of it.
func isRecorded(have, want v1alpha1.DatabaseSchemaStatus) bool {
	for _, status := range []*v1alpha1.DatabaseSchemaStatus{&have, &want} {
		status.Conditions, status.WaitingPods, status.Gate.Reason = nil, nil, ""
	}
	return equality.Semantic.DeepEqual(have, want)
}

// finish records the decision, and then tells of it. A status that says the same
// is not written.
func (r *DatabaseSchemaReconciler) finish(ctx context.Context, schema *v1alpha1.DatabaseSchema, o plan.Observed, next plan.Decision, actErr error) (ctrl.Result, error) {
	key := client.ObjectKeyFromObject(schema)
	next = tellRejected(next, actErr)
	want := next.Status
	r.setConditions(schema, &want, next)
	// With spec.gate Open nothing is held, whatever the database serves.
	open := want.Gate.State == v1alpha1.GateOpen || schema.Spec.Gate == v1alpha1.GateDisabled
	if !open || want.Serves != schema.Status.Serves {
		r.Holds.Hold(key)
	}
	resourceVersion := schema.ResourceVersion
	changed := !equality.Semantic.DeepEqual(schema.Status, want)
	if changed {
		written, err := r.writeStatus(ctx, schema, want)
		if err != nil {
			return outcome(next, err)
		}
		resourceVersion = written
		r.announce(ctx, schema, want, next)
		r.countRetry(schema.Status.Attempt, want.Attempt)
	}
	if open {
		r.Holds.Lift(key, resourceVersion)
	}
	r.Metrics.Schema(schema.Namespace, schema.Name, measure(schema, want, o, next))
	r.trace(schema, next, o, changed, actErr)
	return outcome(next, actErr)
}

// conflictRecheck is when to look again after a conflict. Gates may wait for it.
const conflictRecheck = 200 * time.Millisecond

// outcome says when to look again. What others were faster with is not an
// error: the cache will show it in a moment.
func outcome(next plan.Decision, err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ctrl.Result{RequeueAfter: conflictRecheck}, nil
	}
	return ctrl.Result{RequeueAfter: next.After}, err
}

// writeStatus applies the status if the resource is still the one that was
// looked at, and returns its resourceVersion.
func (r *DatabaseSchemaReconciler) writeStatus(ctx context.Context, schema *v1alpha1.DatabaseSchema, want v1alpha1.DatabaseSchemaStatus) (string, error) {
	body, err := json.Marshal(want)
	if err != nil {
		return "", fmt.Errorf("encoding the status: %w", err)
	}
	status := acv1alpha1.DatabaseSchemaStatus()
	if err := json.Unmarshal(body, status); err != nil {
		return "", fmt.Errorf("encoding the status: %w", err)
	}
	apply := acv1alpha1.DatabaseSchema(schema.Name, schema.Namespace).
		WithUID(schema.UID).WithResourceVersion(schema.ResourceVersion).WithStatus(status)
	if err := r.Client.Status().Apply(ctx, apply, client.FieldOwner(naming.FieldOwner), client.ForceOwnership); err != nil {
		return "", fmt.Errorf("applying the status: %w", err)
	}
	return ptr.Deref(apply.ResourceVersion, ""), nil
}

// setConditions derives the conditions, in the order in which they are listed.
func (r *DatabaseSchemaReconciler) setConditions(schema *v1alpha1.DatabaseSchema, status *v1alpha1.DatabaseSchemaStatus, next plan.Decision) {
	status.Conditions = nil
	for _, condition := range []*metav1.Condition{
		readyCondition(next), reconcilingCondition(next), stalledCondition(next),
		migratedCondition(*status, next), gateCondition(schema, *status, next, r.Policies.Missing()), driftCondition(*status), approvalCondition(next),
	} {
		if condition == nil {
			continue
		}
		condition.ObservedGeneration = schema.Generation
		condition.LastTransitionTime = metav1.NewTime(r.Clock.Now().Truncate(time.Second))
		if before := apimeta.FindStatusCondition(schema.Status.Conditions, condition.Type); before != nil && before.Status == condition.Status {
			condition.LastTransitionTime = before.LastTransitionTime
		}
		condition.Message = clip(condition.Message + guide(*condition, next))
		status.Conditions = append(status.Conditions, *condition)
	}
}

// guide leads people to what to do, where something is to be done: about the
// condition that says so, and about a failure that is tried again.
func guide(condition metav1.Condition, next plan.Decision) string {
	if condition.Reason != next.Reason && condition.Type != v1alpha1.ConditionGateOpen && condition.Type != v1alpha1.ConditionDrifted {
		return ""
	}
	switch {
	case condition.Reason == v1alpha1.ReasonGateDisabled, condition.Reason == v1alpha1.ReasonPoliciesMissing, condition.Type == v1alpha1.ConditionDrifted:
	case condition.Type == v1alpha1.ConditionGateOpen, condition.Type == v1alpha1.ConditionMigrated, next.Verdict == plan.Ready:
		return ""
	case next.Verdict == plan.Progressing && slices.Contains(underWay, next.Reason):
		return ""
	}
	return " See " + runbook.URL(condition.Reason)
}

// underWay are reasons about which nothing is to be done but to wait.
var underWay = []string{
	v1alpha1.ReasonMigrating, v1alpha1.ReasonInspecting, v1alpha1.ReasonHolding, v1alpha1.ReasonDraining, v1alpha1.ReasonCleaningUp,
	v1alpha1.ReasonCheckingImage, v1alpha1.ReasonBackingUp,
}

// clip bounds a message as the API does.
func clip(message string) string {
	const limit = 32768
	return message[:min(len(message), limit)]
}

func truth(is bool) metav1.ConditionStatus {
	if is {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

func readyCondition(next plan.Decision) *metav1.Condition {
	return &metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: truth(next.Verdict == plan.Ready), Reason: next.Reason, Message: next.Message,
	}
}

func reconcilingCondition(next plan.Decision) *metav1.Condition {
	if next.Verdict != plan.Progressing {
		return nil
	}
	return &metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: next.Reason, Message: next.Message}
}

func stalledCondition(next plan.Decision) *metav1.Condition {
	if next.Verdict != plan.Stalled {
		return nil
	}
	return &metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: next.Reason, Message: next.Message}
}

func approvalCondition(next plan.Decision) *metav1.Condition {
	if next.Verdict != plan.Blocked {
		return nil
	}
	return &metav1.Condition{Type: v1alpha1.ConditionApprovalRequired, Status: metav1.ConditionTrue, Reason: next.Reason, Message: next.Message}
}

func driftCondition(status v1alpha1.DatabaseSchemaStatus) *metav1.Condition {
	drift := status.Drift
	if drift.Count == 0 {
		return nil
	}
	message := fmt.Sprintf("The database differs from what revision %d leaves in %d places", status.AppliedRevision.Version, drift.Count)
	if len(drift.Differences) > 0 {
		message += ": " + strings.Join(drift.Differences, "; ")
	}
	return &metav1.Condition{
		Type: v1alpha1.ConditionDrifted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrifted,
		Message: message + ". `schemagate verify` shows it, and `schemagate repair` adds what is missing.",
	}
}

func migratedCondition(status v1alpha1.DatabaseSchemaStatus, next plan.Decision) *metav1.Condition {
	applied := status.AppliedRevision
	condition := &metav1.Condition{
		Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionFalse, Reason: next.Reason,
		Message: fmt.Sprintf("The database is at revision %d (%s).", applied.Version, applied.ID),
	}
	switch {
	case applied.Version == 0:
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotInspected
		condition.Message = "No Job has looked at the database yet."
	case next.Verdict == plan.Ready || next.Served:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonUpToDate
	}
	return condition
}

// gateDisabled begins the message of the condition while spec.gate is Open.
const gateDisabled = "spec.gate is Open"

func gateCondition(schema *v1alpha1.DatabaseSchema, status v1alpha1.DatabaseSchemaStatus, next plan.Decision, missing []string) *metav1.Condition {
	condition := &metav1.Condition{Type: v1alpha1.ConditionGateOpen, Status: truth(status.Gate.State == v1alpha1.GateOpen), Reason: status.Gate.Reason}
	serves := status.Serves
	switch {
	case schema.Spec.Gate == v1alpha1.GateDisabled:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonGateDisabled
		condition.Message = gateDisabled + ": every labeled pod starts, whatever the database holds. Set it to Enforced when that is over."
	case serves.From > 0:
		condition.Message = fmt.Sprintf("Pods that need revision %d to %d start", serves.From, serves.To)
		if serves.AppFrom != "" {
			condition.Message += fmt.Sprintf(": releases from %s on, before %s", serves.AppFrom, serves.AppBefore)
		}
		condition.Message += "."
	case status.AppliedRevision.Version == 0:
		condition.Message = "No pod starts: nobody knows yet what the database holds."
	default:
		condition.Message = "No pod starts until the migration has ended."
	}
	if len(missing) > 0 {
		condition.Reason = v1alpha1.ReasonPoliciesMissing
		condition.Message += " These are not installed: " + strings.Join(missing, ", ") +
			". Only pods whose template has the scheduling gate " + v1alpha1.GateName + " are held."
	}
	if next.Unknown > 0 {
		condition.Message = strings.Join([]string{condition.Message, fmt.Sprintf("%d pods wait for ever.", next.Unknown), next.UnknownMessage}, " ")
	}
	return condition
}

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce tells of transitions, after they are recorded.
func (r *DatabaseSchemaReconciler) announce(ctx context.Context, schema *v1alpha1.DatabaseSchema, want v1alpha1.DatabaseSchemaStatus, next plan.Decision) {
	r.announceGate(schema, want)
	if next.Action == plan.Record {
		r.announceAttempt(ctx, schema, want)
	}
	before := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionReady)
	if before != nil && before.Reason == next.Reason && before.Status == truth(next.Verdict == plan.Ready) || next.Action == plan.Record {
		return
	}
	kind := corev1.EventTypeNormal
	if next.Verdict == plan.Stalled || next.Verdict == plan.Blocked || next.Work != nil && len(next.Work.Unfenced) > 0 {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(schema, nil, kind, next.Reason, string(next.Action), "%s", note(next.Message))
	log.FromContext(ctx).Info("Decided", "reason", next.Reason, "revision", want.TargetRevision.Version)
}

// announceGate tells when spec.gate is opened for everybody, and when that ends.
func (r *DatabaseSchemaReconciler) announceGate(schema *v1alpha1.DatabaseSchema, want v1alpha1.DatabaseSchemaStatus) {
	before := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen)
	after := apimeta.FindStatusCondition(want.Conditions, v1alpha1.ConditionGateOpen)
	was, is := before != nil && strings.HasPrefix(before.Message, gateDisabled), strings.HasPrefix(after.Message, gateDisabled)
	switch {
	case is && !was:
		r.Recorder.Eventf(schema, nil, corev1.EventTypeWarning, v1alpha1.ReasonGateDisabled, ActionOpenGate, "%s", note(after.Message))
	case was && !is:
		r.Recorder.Eventf(schema, nil, corev1.EventTypeNormal, v1alpha1.ReasonGateEnforced, ActionCloseGate,
			"spec.gate is Enforced again. Pods that were let in meanwhile stay until they are deleted.")
	}
}

// announceAttempt tells how a migration ended.
func (r *DatabaseSchemaReconciler) announceAttempt(ctx context.Context, schema *v1alpha1.DatabaseSchema, want v1alpha1.DatabaseSchemaStatus) {
	entry, attempt := want.History[0], want.Attempt
	duration := time.Duration(ptr.Deref(entry.DurationSeconds, -1)) * time.Second
	log.FromContext(ctx).Info("Recorded a migration", "job", entry.Job, "fromRevision", ptr.Deref(entry.From, 0),
		"revision", want.AppliedRevision.Version, "reason", entry.Result, "durationSeconds", int(duration.Seconds()))
	if attempt.State == v1alpha1.AttemptSucceeded {
		r.Metrics.Migrated(entry.Result, "", duration)
		r.Recorder.Eventf(schema, nil, corev1.EventTypeNormal, EventMigrated, string(plan.Record),
			"Job %s: the database is at revision %d (%s).", entry.Job, want.AppliedRevision.Version, want.AppliedRevision.ID)
		return
	}
	r.Metrics.Migrated(entry.Result, string(attempt.State), duration)
	r.Recorder.Eventf(schema, nil, corev1.EventTypeWarning, attempt.Reason, string(plan.Record), "Job %s: %s", entry.Job, note(attempt.Message))
}

// note cuts a message to what an event holds.
func note(message string) string {
	const limit = 900
	return strings.ToValidUTF8(message[:min(len(message), limit)], "")
}

// forget drops what is kept of a schema that is gone.
func (r *DatabaseSchemaReconciler) forget(key types.NamespacedName) {
	r.Holds.Forget(key)
	r.Metrics.Forget(key.Namespace, key.Name)
}
