package kubectl

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
)

// now is when the tests look.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

// golden compares a text with a file. UPDATE_GOLDEN=1 writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// revisionOf is what a status says about a revision of the bundle.
func revisionOf(t *testing.T, version int) v1alpha1.RevisionStatus {
	t.Helper()
	b, err := openWebUI()
	if err != nil {
		t.Fatal(err)
	}
	revision := plan.RevisionOf(b, version)
	if revision.Version == 0 {
		t.Fatalf("there is no revision %d", version)
	}
	return revision
}

// newView is a schema at revision 60, before a release that needs 73.
func newView(t *testing.T) *view {
	t.Helper()
	b, err := openWebUI()
	if err != nil {
		t.Fatal(err)
	}
	schema := &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: "open-webui", UID: "1", Generation: 2},
		Spec: v1alpha1.DatabaseSchemaSpec{
			Migrations: v1alpha1.Migrations{Bundle: v1alpha1.BundleOpenWebUI}, Gate: v1alpha1.GateEnforced,
			Rollout: v1alpha1.Rollout{Strategy: v1alpha1.StrategyAuto, DrainTimeoutSeconds: 300},
		},
		Status: v1alpha1.DatabaseSchemaStatus{
			ObservedGeneration: new(int64(2)), AppliedRevision: revisionOf(t, 60), TargetRevision: revisionOf(t, 60),
			Birth: v1alpha1.BirthPeewee, VerifiedTime: new(ago(3 * time.Hour)), Source: "0123456789abcdef",
			Serves: v1alpha1.Serves{From: 52, To: 60, AppFrom: "0.8.9", AppBefore: "0.9.6"},
			Gate:   v1alpha1.GateStatus{State: v1alpha1.GateOpen, Reason: v1alpha1.ReasonServing},
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpToDate, Message: "The database is at revision 60."},
				{Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpToDate, Message: "The database is at revision 60."},
				{Type: v1alpha1.ConditionGateOpen, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonServing, Message: strings.Repeat("A long message. ", 12)},
			},
		},
	}
	return &view{schema: schema, bundle: b, now: now, pods: []corev1.Pod{pod("open-webui-0", "ghcr.io/open-webui/open-webui:v0.9.5", false)}}
}

func pod(name, image string, gated bool) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: name, UID: "u", CreationTimestamp: ago(time.Minute), Labels: map[string]string{v1alpha1.LabelSchema: "open-webui"}},
		Spec:       corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: image}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if gated {
		p.Spec.NodeName, p.Status.Phase = "", corev1.PodPending
		p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
	}
	return p
}

// migrating is the view while it drains for the migration to revision 73.
func migrating(t *testing.T) *view {
	t.Helper()
	v := newView(t)
	v.pods = append(v.pods, pod("open-webui-new", "open-webui:v0.11.0", true), pod("open-webui-odd", "open-webui:main", true))
	s := &v.schema.Status
	s.TargetRevision, s.Serves = revisionOf(t, 73), v1alpha1.Serves{}
	s.Gate = v1alpha1.GateStatus{State: v1alpha1.GateHeld, Reason: v1alpha1.ReasonDraining, Decision: "d"}
	s.Attempt = v1alpha1.Attempt{
		Number: 4, Job: "open-webui-abc", Decision: "d", Inputs: "i", From: new(int32(60)), To: 73, State: v1alpha1.AttemptPending, StartTime: new(ago(30 * time.Second)),
	}
	s.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDraining, Message: "Draining."}
	s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDraining})
	job := batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "chat", Name: "open-webui-abc", UID: "j", Labels: map[string]string{naming.LabelJobSchema: "open-webui"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(v.schema, v1alpha1.GroupVersion.WithKind("DatabaseSchema"))},
		},
		Spec:   batchv1.JobSpec{Suspend: new(false)},
		Status: batchv1.JobStatus{StartTime: new(ago(20 * time.Second))},
	}
	v.jobs = []batchv1.Job{job}
	v.jobPods = []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "open-webui-abc-x", UID: "x", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&job, batchv1.SchemeGroupVersion.WithKind("Job"))}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}}
	return v
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		view   func(*testing.T) *view
		change func(*view)
		wide   bool
		colors bool
	}{
		"status-ready":          {view: newView},
		"status-migrating":      {view: migrating},
		"status-migrating-wide": {view: migrating, wide: true},
		"status-colors":         {view: migrating, colors: true},
		"status-unseen": {view: newView, change: func(v *view) {
			v.schema.Status, v.pods = v1alpha1.DatabaseSchemaStatus{ObservedGeneration: new(int64(-1))}, nil
		}},
		"status-open": {view: newView, change: func(v *view) {
			v.schema.Spec.Gate, v.schema.Spec.Suspend, v.schema.Generation = v1alpha1.GateDisabled, new(true), 3
		}},
		"status-stalled": {view: newView, change: func(v *view) {
			v.schema.Status.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "SQLError", Message: "A statement failed."}
			v.schema.Status.Conditions = append(v.schema.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "SQLError"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := tc.view(t)
			if tc.change != nil {
				tc.change(v)
			}
			var out bytes.Buffer
			v.status().text(&out, painter{colors: tc.colors}, tc.wide)
			golden(t, name, out.String())
			if plainly := strings.Contains(out.String(), "\x1b"); plainly != tc.colors {
				t.Errorf("colors are %t, want %t", plainly, tc.colors)
			}
		})
	}
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to     string
		wide   bool
		change func(*view)
	}{
		"plan-nothing": {},
		"plan-additive": {to: "60", change: func(v *view) {
			v.schema.Status.AppliedRevision = v1alpha1.RevisionStatus{Version: 59, ID: "4de81c2a3af1", AppVersion: "0.9.3"}
		}},
		"plan-drain": {to: "73"},
		"plan-wide":  {to: "63", wide: true},
		"plan-approval": {to: "40", change: func(v *view) {
			v.schema.Status.AppliedRevision = v1alpha1.RevisionStatus{Version: 22, ID: "c0fbf31ca0db", AppVersion: "0.3.31"}
			v.pods = nil
			v.schema.Status.Approval = v1alpha1.ApprovalStatus{Digest: "841f984e27f729bc", From: 22, To: 40}
		}},
		"plan-rolling": {to: "73", change: func(v *view) { v.schema.Spec.Rollout.Strategy = v1alpha1.StrategyRolling }},
		"plan-down": {to: "50", change: func(v *view) {
			v.schema.Spec.Policy.Downgrade = v1alpha1.DowngradeRequireApproval
		}},
		"plan-down-forbidden": {to: "50", change: func(v *view) { v.schema.Spec.Policy.Downgrade = v1alpha1.DowngradeForbid }},
		"plan-explicit": {to: "73", change: func(v *view) {
			v.schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: "60"}
		}},
		"plan-sqlite":   {to: "61", change: func(v *view) { v.schema.Spec.Database.SQLite.ClaimName = "webui" }},
		"plan-unlooked": {to: "73", change: func(v *view) { v.schema.Status.AppliedRevision = v1alpha1.RevisionStatus{} }},
		"plan-estimate": {to: "73", change: func(v *view) {
			v.schema.Status.Tables = []v1alpha1.TableStatus{
				{Name: "chat", Rows: new(int64(20_000)), Bytes: new(int64(88_000_000))},
				{Name: "memory", Rows: new(int64(900)), Bytes: new(int64(400_000))},
				{Name: "tag", Rows: new(int64(9)), Bytes: new(int64(8192))},
			}
		}},
		"plan-small": {to: "61", change: func(v *view) {
			v.schema.Status.Tables = []v1alpha1.TableStatus{{Name: "chat", Rows: new(int64(20_000)), Bytes: new(int64(88_000_000))}}
		}},
		"plan-suspended": {to: "63", change: func(v *view) { v.schema.Spec.Suspend = new(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView(t)
			if tc.change != nil {
				tc.change(v)
			}
			before := v.schema.DeepCopy()
			var out bytes.Buffer
			v.plan(tc.to).text(&out, painter{}, tc.wide)
			golden(t, name, out.String())
			if diff := cmp.Diff(before, v.schema); diff != "" {
				t.Errorf("planning has changed the schema:\n%s", diff)
			}
		})
	}
}

func TestHistoryText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wide, all bool
		history   []v1alpha1.HistoryEntry
	}{
		"history-none": {},
		"history": {history: []v1alpha1.HistoryEntry{
			{From: new(int32(60)), To: new(int32(73)), Direction: v1alpha1.DirectionUp, StartTime: new(ago(3 * time.Hour)), DurationSeconds: new(int32(95)), Result: "SQLError", Job: "j2"},
			{From: new(int32(0)), To: new(int32(60)), Direction: v1alpha1.DirectionUp, Result: v1alpha1.ReasonSucceeded, Job: "j1"},
		}},
		"history-wide": {wide: true, all: true, history: []v1alpha1.HistoryEntry{
			{From: new(int32(60)), To: new(int32(60)), Direction: v1alpha1.DirectionNone, StartTime: new(ago(time.Second)), DurationSeconds: new(int32(1)), Result: v1alpha1.ReasonSucceeded, Job: "j1"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &historyCmd{session: newTestSession(), all: tc.all}
			if tc.wide {
				c.format.value = formatWide
			}
			b, err := openWebUI()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := c.text(&out, &out, b, []historyReport{{Namespace: "chat", Name: "open-webui", History: tc.history}}); err != nil {
				t.Fatal(err)
			}
			golden(t, name, out.String())
		})
	}
}

func newTestSession() *session {
	s := newSession()
	s.now, s.terminal, s.namespace = func() time.Time { return now }, func(any) bool { return false }, "chat"
	return s
}

func TestDoctorText(t *testing.T) {
	t.Parallel()
	r := report([]finding{
		{severityOK, "api-version", "API server v1.37.2", "it is 1.36 or newer", ""},
		{severityError, "pods", "Pod chat/a", "its label is wrong", "Correct it."},
		{severityWarning, "schemas", "", "something", ""},
		{severityUnknown, "policies", "", "could not look", "Ask."},
	})
	var out bytes.Buffer
	r.text(painter{}, func(format string, args ...any) { printf(&out, format, args...) })
	golden(t, "doctor", out.String())
	if r.Errors != 1 || r.Warnings != 1 || r.Unknown != 1 {
		t.Errorf("the report counts %d, %d, %d", r.Errors, r.Warnings, r.Unknown)
	}
}

// TestColors: on a terminal only, and not where somebody has asked for none.
func TestColors(t *testing.T) {
	s := newTestSession()
	for _, tc := range []struct {
		terminal      bool
		noColor, term string
		want          bool
	}{{true, "", "xterm", true}, {false, "", "xterm", false}, {true, "1", "xterm", false}, {true, "", "dumb", false}} {
		s.terminal = func(any) bool { return tc.terminal }
		t.Setenv("NO_COLOR", tc.noColor)
		t.Setenv("TERM", tc.term)
		if got := s.newPainter(io.Discard).colors; got != tc.want {
			t.Errorf("%+v: colors are %t", tc, got)
		}
	}
}
