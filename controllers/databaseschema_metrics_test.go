package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/plan"
)

// TestMeasure: everything that is told follows from the status, the pods and the
// decision.
func TestMeasure(t *testing.T) {
	t.Parallel()
	at := time.Unix(1767225600, 0)
	minutes := func(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }
	time1 := func(n int) *metav1.Time { return &metav1.Time{Time: minutes(n)} }
	schema := &v1alpha1.DatabaseSchema{Spec: v1alpha1.DatabaseSchemaSpec{
		Migrations: v1alpha1.Migrations{Bundle: v1alpha1.BundleOpenWebUI}, Gate: v1alpha1.GateDisabled,
	}}
	status := v1alpha1.DatabaseSchemaStatus{
		AppliedRevision: v1alpha1.RevisionStatus{Version: 73, ID: "f0bd01a18a3d", AppVersion: "0.11.0"},
		TargetRevision:  v1alpha1.RevisionStatus{Version: 76}, Birth: v1alpha1.BirthAlembic,
		WaitingPods: new(int32(2)), VerifiedTime: time1(1), Drift: v1alpha1.DriftStatus{Count: 4},
		Attempt:    v1alpha1.Attempt{State: v1alpha1.AttemptPending, StartTime: time1(2), Failures: new(int32(3))},
		Conditions: []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Migrating"}},
		History: []v1alpha1.HistoryEntry{
			{Result: "SQLError", StartTime: time1(9)},
			{Result: v1alpha1.ReasonSucceeded, StartTime: time1(3), DurationSeconds: new(int32(60))},
			{Result: v1alpha1.ReasonSucceeded, StartTime: time1(2)},
		},
	}
	pods := []plan.Pod{
		{Created: minutes(-9)},
		{Created: minutes(-8), Gated: true, Terminating: true},
		{Created: minutes(-6), Gated: true},
		{Created: minutes(-7), Gated: true},
	}
	got := measure(schema, status, plan.Observed{Pods: pods}, plan.Decision{Verdict: plan.Blocked})
	want := metrics.Schema{
		Bundle: "open-webui", Birth: "alembic", Revision: "f0bd01a18a3d", AppVersion: "0.11.0",
		Applied: 73, Target: 76, Pending: 3, Waiting: 2, OldestWaiting: minutes(-7),
		Conditions:   []metrics.Condition{{Type: "Ready", Status: "False", Reason: "Migrating"}},
		GateDisabled: true, ApprovalPending: true, Differences: 4, Failures: 3,
		MigrationStart: minutes(2), Success: minutes(4), Verified: minutes(1),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is told (-want +got):\n%s", diff)
	}
	status.Attempt.State = v1alpha1.AttemptFailed
	if got := measure(schema, status, plan.Observed{}, plan.Decision{}); !got.MigrationStart.IsZero() || !got.OldestWaiting.IsZero() || got.ApprovalPending {
		t.Errorf("while nothing is under way, nobody waits and nobody is asked: %+v", got)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		applied, target int
		next            plan.Decision
		want            int
	}{
		"up":                 {applied: 73, target: 76, want: 3},
		"there":              {applied: 76, target: 76},
		"nobody has looked":  {target: 76},
		"nothing is needed":  {applied: 73},
		"served as it is":    {applied: 76, target: 75},
		"down":               {applied: 76, target: 73, next: plan.Decision{Work: &plan.Work{Downgrade: true}}, want: 3},
		"up, and being done": {applied: 73, target: 76, next: plan.Decision{Work: &plan.Work{}}, want: 3},
	} {
		if got := pending(tc.applied, tc.target, tc.next); got != tc.want {
			t.Errorf("%s: %d revisions are pending, want %d", name, got, tc.want)
		}
	}
}

func TestCountRetry(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	r := &DatabaseSchemaReconciler{Metrics: metrics.New(registry)}
	for _, state := range []v1alpha1.AttemptState{"", v1alpha1.AttemptSucceeded, v1alpha1.AttemptAbandoned, v1alpha1.AttemptRetrying} {
		r.countRetry(v1alpha1.Attempt{Number: 1, State: state}, v1alpha1.Attempt{Number: 1, State: v1alpha1.AttemptPending})
		r.countRetry(v1alpha1.Attempt{Number: 1, State: state}, v1alpha1.Attempt{Number: 2, State: v1alpha1.AttemptPending})
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() == "schemagate_migration_retries_total" {
			for _, metric := range family.GetMetric() {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	if total != 1 {
		t.Errorf("%v attempts follow a failed one, want that one", total)
	}
}
