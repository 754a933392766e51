package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/plan"
)

// measure is what is told of a schema whose status is written. It follows from
// the status and from what was observed, so that it is the same after a restart,
// and takes no further request.
func measure(schema *v1alpha1.DatabaseSchema, status v1alpha1.DatabaseSchemaStatus, o plan.Observed, next plan.Decision) metrics.Schema {
	applied, target := int(status.AppliedRevision.Version), int(status.TargetRevision.Version)
	out := metrics.Schema{
		Bundle: string(schema.Spec.Migrations.Bundle), Birth: string(status.Birth),
		Revision: status.AppliedRevision.ID, AppVersion: status.AppliedRevision.AppVersion,
		Applied: applied, Target: target, Pending: pending(applied, target, next),
		Waiting: int(ptr.Deref(status.WaitingPods, 0)), OldestWaiting: oldestWaiting(o.Pods),
		GateDisabled: schema.Spec.Gate == v1alpha1.GateDisabled, ApprovalPending: next.Verdict == plan.Blocked,
		Differences: int(status.Drift.Count), Failures: int(ptr.Deref(status.Attempt.Failures, 0)),
		Success: lastSuccess(status.History), Verified: ptr.Deref(status.VerifiedTime, metav1.Time{}).Time,
	}
	for _, condition := range status.Conditions {
		out.Conditions = append(out.Conditions, metrics.Condition{
			Type: condition.Type, Status: string(condition.Status), Reason: condition.Reason,
		})
	}
	if status.Attempt.State == v1alpha1.AttemptPending {
		out.MigrationStart = ptr.Deref(status.Attempt.StartTime, metav1.Time{}).Time
	}
	return out
}

// pending counts revisions. The way back to an older target is none as long as
// its pods are served.
func pending(applied, target int, next plan.Decision) int {
	switch {
	case applied == 0 || target == 0:
		return 0
	case next.Work != nil && next.Work.Downgrade:
		return applied - target
	}
	return max(0, target-applied)
}

func oldestWaiting(pods []plan.Pod) time.Time {
	var oldest time.Time
	for i := range pods {
		if pod := &pods[i]; pod.Gated && !pod.Terminating && (oldest.IsZero() || pod.Created.Before(oldest)) {
			oldest = pod.Created
		}
	}
	return oldest
}

func lastSuccess(history []v1alpha1.HistoryEntry) time.Time {
	for _, entry := range history {
		if entry.Result == v1alpha1.ReasonSucceeded && entry.StartTime != nil {
			return entry.StartTime.Add(time.Duration(ptr.Deref(entry.DurationSeconds, 0)) * time.Second)
		}
	}
	return time.Time{}
}

// countRetry counts an attempt that follows a failed one.
func (r *DatabaseSchemaReconciler) countRetry(before, after v1alpha1.Attempt) {
	if after.Number == before.Number {
		return
	}
	switch before.State {
	case v1alpha1.AttemptRetrying, v1alpha1.AttemptFailed, v1alpha1.AttemptLost:
		r.Metrics.Retried(string(before.State))
	case v1alpha1.AttemptPending, v1alpha1.AttemptSucceeded, v1alpha1.AttemptAbandoned:
	}
}
