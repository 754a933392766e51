package controllers

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/plan"
)

// TestConditions: what "kubectl wait", Helm, Flux and Argo CD make of every
// verdict, by the library that three of them use.
func TestConditions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		next  plan.Decision
		want  status.Status
		ready metav1.ConditionStatus
		types []string
	}{
		"ready": {
			plan.Decision{Verdict: plan.Ready, Reason: v1alpha1.ReasonUpToDate},
			status.CurrentStatus, metav1.ConditionTrue,
			[]string{"Ready", "Migrated", "GateOpen"},
		},
		"at work": {
			plan.Decision{Verdict: plan.Progressing, Reason: v1alpha1.ReasonMigrating},
			status.InProgressStatus, metav1.ConditionFalse,
			[]string{"Ready", "Reconciling", "Migrated", "GateOpen"},
		},
		"needs a person": {
			plan.Decision{Verdict: plan.Stalled, Reason: "PreflightFailed"},
			status.FailedStatus, metav1.ConditionFalse,
			[]string{"Ready", "Stalled", "Migrated", "GateOpen"},
		},
		"needs approval": {
			plan.Decision{Verdict: plan.Blocked, Reason: v1alpha1.ReasonAwaitingApproval},
			status.InProgressStatus, metav1.ConditionFalse,
			[]string{"Ready", "Migrated", "GateOpen", "ApprovalRequired"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := &v1alpha1.DatabaseSchema{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", Generation: 3}}
			want := v1alpha1.DatabaseSchemaStatus{
				ObservedGeneration: new(int64(3)),
				AppliedRevision:    v1alpha1.RevisionStatus{Version: 19, ID: "7e5b5dc7342b"},
			}
			r := newReconciler()
			tc.next.Status = want
			r.setConditions(schema, &want, tc.next)
			var types []string
			for _, condition := range want.Conditions {
				types = append(types, condition.Type)
				if condition.ObservedGeneration != 3 || condition.Reason == "" && condition.Type != v1alpha1.ConditionGateOpen {
					t.Errorf("condition %+v", condition)
				}
			}
			if diff := cmp.Diff(tc.types, types); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if got := apimeta.FindStatusCondition(want.Conditions, v1alpha1.ConditionReady).Status; got != tc.ready {
				t.Errorf("Ready is %s, want %s", got, tc.ready)
			}
			schema.Status = want
			if got := kstatus(t, schema); got != tc.want {
				t.Errorf("kstatus says %s, want %s", got, tc.want)
			}
			schema.Generation = 4
			if got := kstatus(t, schema); got != status.InProgressStatus {
				t.Errorf("kstatus says %s of a generation that was not looked at", got)
			}
		})
	}
}

func newReconciler() *DatabaseSchemaReconciler {
	return &DatabaseSchemaReconciler{Clock: clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 5))}
}

func kstatus(t *testing.T, schema *v1alpha1.DatabaseSchema) status.Status {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(schema)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DatabaseSchema"))
	result, err := status.Compute(u)
	if err != nil {
		t.Fatal(err)
	}
	return result.Status
}

// TestFreshResource: one that no controller has seen is in progress, for the
// API server sets its observedGeneration to -1.
func TestFreshResource(t *testing.T) {
	t.Parallel()
	schema := &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 1},
		Status:     v1alpha1.DatabaseSchemaStatus{ObservedGeneration: new(int64(-1))},
	}
	if got := kstatus(t, schema); got != status.InProgressStatus {
		t.Errorf("kstatus says %s", got)
	}
}

// TestTransitionTimes: a condition that keeps its status keeps its time, or
// every reconcile would write.
func TestTransitionTimes(t *testing.T) {
	t.Parallel()
	before := metav1.NewTime(time.Unix(1000, 0))
	schema := &v1alpha1.DatabaseSchema{Status: v1alpha1.DatabaseSchemaStatus{Conditions: []metav1.Condition{
		{Type: "Ready", Status: metav1.ConditionFalse, LastTransitionTime: before},
		{Type: "GateOpen", Status: metav1.ConditionTrue, LastTransitionTime: before},
	}}}
	want := v1alpha1.DatabaseSchemaStatus{Gate: v1alpha1.GateStatus{State: v1alpha1.GateHeld, Reason: "Holding"}}
	newReconciler().setConditions(schema, &want, plan.Decision{Verdict: plan.Progressing, Reason: "Holding"})
	if at := apimeta.FindStatusCondition(want.Conditions, "Ready").LastTransitionTime; !at.Equal(&before) {
		t.Errorf("Ready has the time %s, want that of before", at)
	}
	if at := apimeta.FindStatusCondition(want.Conditions, "GateOpen").LastTransitionTime; at.Unix() != 1_000_000 || at.Nanosecond() != 0 {
		t.Errorf("GateOpen has the time %s, want now in whole seconds", at)
	}
}

func TestIsRecorded(t *testing.T) {
	t.Parallel()
	have := v1alpha1.DatabaseSchemaStatus{
		Source: "a", WaitingPods: new(int32(1)), Gate: v1alpha1.GateStatus{State: v1alpha1.GateHeld, Reason: "Holding", Decision: "d"},
		Conditions: []metav1.Condition{{Type: "Ready"}},
	}
	tests := map[string]struct {
		change func(*v1alpha1.DatabaseSchemaStatus)
		want   bool
	}{
		"the same":        {func(*v1alpha1.DatabaseSchemaStatus) {}, true},
		"other words":     {func(s *v1alpha1.DatabaseSchemaStatus) { s.Gate.Reason, s.Conditions = "Migrating", nil }, true},
		"more pods wait":  {func(s *v1alpha1.DatabaseSchemaStatus) { s.WaitingPods = new(int32(2)) }, true},
		"no hold":         {func(s *v1alpha1.DatabaseSchemaStatus) { s.Gate.State = v1alpha1.GateOpen }, false},
		"another hold":    {func(s *v1alpha1.DatabaseSchemaStatus) { s.Gate.Decision = "e" }, false},
		"another attempt": {func(s *v1alpha1.DatabaseSchemaStatus) { s.Attempt.Number = 1 }, false},
		"serves":          {func(s *v1alpha1.DatabaseSchemaStatus) { s.Serves.From = 1 }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := *have.DeepCopy()
			tc.change(&want)
			if got := isRecorded(have, want); got != tc.want {
				t.Errorf("isRecorded() = %t, want %t", got, tc.want)
			}
			if have.Gate.Reason != "Holding" || len(have.Conditions) != 1 {
				t.Error("isRecorded() has changed its argument")
			}
		})
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	key := types.NamespacedName{Namespace: "a", Name: "b"}
	h := &Holds{}
	check := func(what, resourceVersion string, want bool) {
		t.Helper()
		if got := h.Allows(key, resourceVersion); got != want {
			t.Errorf("%s: Allows(%s) = %t, want %t", what, resourceVersion, got, want)
		}
	}
	check("never seen", "1", false)
	h.Lift(key, "5")
	check("lifted without a hold", "9", false)
	h.See(key, "3")
	check("seen, older cache", "2", false)
	check("seen", "3", true)
	h.Hold(key)
	h.See(key, "98")
	check("held", "99", false)
	h.Lift(key, "10")
	check("lifted, older cache", "9", false)
	check("lifted", "10", true)
	check("lifted", "100", true)
	h.Lift(key, "200")
	check("lifted again", "100", true)
	h.Hold(key)
	check("held again", "300", false)
	h.Forget(key)
	check("forgotten", "1", false)
	if h.Seen(key) {
		t.Error("forgotten, and seen")
	}
}

func TestDatabaseDigest(t *testing.T) {
	t.Parallel()
	base := func() *v1alpha1.DatabaseSchema {
		s := &v1alpha1.DatabaseSchema{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}}
		s.Spec.Database = v1alpha1.Database{Host: "db", Name: "webui"}
		return s
	}
	tests := map[string]struct {
		change func(*v1alpha1.DatabaseSchema)
		same   bool
	}{
		"defaults spelled out": {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Port, s.Spec.Database.Schema = 5432, "public" }, true},
		"another user":         {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.UserFrom.SecretKeyRef.Name = "x" }, true},
		"upper case":           {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Host = "DB" }, true},
		"another namespace":    {func(s *v1alpha1.DatabaseSchema) { s.Namespace = "b" }, true},
		"another host":         {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Host = "db2" }, false},
		"another port":         {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Port = 5433 }, false},
		"another name":         {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Name = "x" }, false},
		"another schema":       {func(s *v1alpha1.DatabaseSchema) { s.Spec.Database.Schema = "x" }, false},
		"a URL": {func(s *v1alpha1.DatabaseSchema) {
			s.Spec.Database = v1alpha1.Database{URLFrom: v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: "db", Key: "webui"}}}
		}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := base()
			tc.change(other)
			if same := databaseDigest(base()) == databaseDigest(other); same != tc.same {
				t.Errorf("the same: %t, want %t", same, tc.same)
			}
		})
	}
}

func TestTrimPod(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "a", Name: "b", UID: "u", ResourceVersion: "7", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}},
			Labels:          map[string]string{v1alpha1.LabelSchema: "s", "app": "x", "controller-revision-hash": "h"},
			Annotations:     map[string]string{v1alpha1.AnnotationRequires: "18", "note": "x"},
			OwnerReferences: []metav1.OwnerReference{{Name: "other"}, {Name: "set", Kind: "StatefulSet", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: "n", SchedulingGates: []corev1.PodSchedulingGate{{Name: "x"}, {Name: v1alpha1.GateName}},
			Containers: []corev1.Container{{Name: "c", Image: "i", Env: []corev1.EnvVar{{Name: "SECRET", Value: "x"}}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, PodIP: "10.0.0.1"},
	}
	before := podFacts(pod)
	got, err := TrimPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "a", Name: "b", UID: "u", ResourceVersion: "7",
			Labels:          map[string]string{v1alpha1.LabelSchema: "s", "controller-revision-hash": "h"},
			Annotations:     map[string]string{v1alpha1.AnnotationRequires: "18"},
			OwnerReferences: []metav1.OwnerReference{{Name: "set", Kind: "StatefulSet", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: "n", SchedulingGates: []corev1.PodSchedulingGate{{Name: "x"}, {Name: v1alpha1.GateName}},
			Containers: []corev1.Container{{Name: "c", Image: "i"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("TrimPod() (-want +got):\n%s", diff)
	}
	trimmed, ok := got.(*corev1.Pod)
	if !ok || podFacts(trimmed) != before {
		t.Error("what decisions follow from is lost")
	}
}
