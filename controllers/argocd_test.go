package controllers

import (
	"bytes"
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/testing/argocd"
	"github.com/schemagate/schemagate/migrations"
)

var update = flag.Bool("update", false, "write the test data of the scripts for Argo CD anew")

// scripts are what Argo CD runs for a DatabaseSchema.
const scripts = argocd.Scripts("../integrations/argocd/resource_customizations/schemagate.dev/DatabaseSchema")

// situation is a schema in the middle of something, as the operator sees it.
type situation struct {
	plan.Observed
	t *testing.T
}

// turn decides, and records the status as the operator does.
func (s *situation) turn() *situation {
	next := plan.Next(s.Observed)
	r := &DatabaseSchemaReconciler{Clock: clocktesting.NewFakePassiveClock(s.Now)}
	s.Schema = s.Schema.DeepCopy()
	want := next.Status
	want.ObservedGeneration = new(s.Schema.Generation)
	r.setConditions(s.Schema, &want, next)
	s.Schema.Status = want
	return s
}

// at is a database that was seen at a revision.
func (s *situation) at(version int) *situation {
	st := &s.Schema.Status
	st.Source, st.Birth = s.Source, v1alpha1.BirthAlembic
	if st.AppliedRevision = plan.RevisionOf(s.Bundle, version); st.AppliedRevision.Version == 0 {
		s.t.Fatalf("no revision %d", version)
	}
	st.VerifiedTime = &metav1.Time{Time: s.Now}
	return s
}

// pod adds a pod of a release, which waits or runs.
func (s *situation) pod(tag string, gated bool) *situation {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: "open-webui:" + tag}}}}
	need, err := requirement.Of(pod)
	s.Pods = append(s.Pods, plan.Pod{Name: "open-webui-" + tag, Gated: gated, Requirement: need, Unknown: err})
	return s
}

// ends is the end of the Job of the attempt.
func (s *situation) ends(res result.Result) *situation {
	s.Job = &migrationjob.Run{
		Name: s.Schema.Status.Attempt.Job, Decision: s.Schema.Status.Attempt.Decision, State: migrationjob.Failed,
		Result: &res, StartTime: &metav1.Time{Time: s.Now}, FinishTime: &metav1.Time{Time: s.Now},
	}
	return s.turn()
}

func failing(outcome result.Outcome, reason result.Reason) result.Result {
	return result.Result{Outcome: outcome, Reason: reason, From: 62, To: 62, Birth: "alembic", Failure: &result.Failure{}}
}

func (s *situation) spec(edit func(*v1alpha1.DatabaseSchemaSpec)) *situation {
	edit(&s.Schema.Spec)
	s.Schema.Generation++
	return s
}

func destructive(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Destructive = v1alpha1.DestructiveAllow }

// situations are told by the name of the file that shows their status.
var situations = map[string]struct {
	course func(*situation) *situation
	health string
	kind   status.Status
}{
	"new": {
		func(s *situation) *situation {
			s.Schema.Status.ObservedGeneration = new(int64(-1))
			return s
		}, "Progressing", status.InProgressStatus,
	},
	"no-workload": {func(s *situation) *situation { return s.turn() }, "Healthy", status.CurrentStatus},
	"up-to-date": {
		func(s *situation) *situation { return s.at(62).pod("v0.9.6", false).turn() },
		"Healthy", status.CurrentStatus,
	},
	"suspended-up-to-date": {
		func(s *situation) *situation {
			return s.at(62).pod("v0.9.6", false).spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Suspend = new(true) }).turn()
		}, "Healthy", status.CurrentStatus,
	},
	"stale": {
		func(s *situation) *situation {
			return s.at(62).pod("v0.9.6", false).turn().spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Suspend = new(false) })
		}, "Progressing", status.InProgressStatus,
	},
	"inspecting": {func(s *situation) *situation { return s.pod("v0.9.6", true).turn() }, "Progressing", status.InProgressStatus},
	"migrating":  {func(s *situation) *situation { return s.at(61).pod("v0.9.6", true).turn() }, "Progressing", status.InProgressStatus},
	"draining": {
		func(s *situation) *situation {
			return s.spec(destructive).at(62).pod("v0.9.6", false).pod("v0.10.0", true).turn()
		}, "Progressing", status.InProgressStatus,
	},
	"awaiting-approval": {
		func(s *situation) *situation { return s.at(62).pod("v0.9.6", false).pod("v0.10.0", true).turn() },
		"Suspended", status.InProgressStatus,
	},
	"suspended": {
		func(s *situation) *situation {
			return s.at(61).pod("v0.9.6", true).spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Suspend = new(true) }).turn()
		}, "Suspended", status.InProgressStatus,
	},
	"downgrade-required": {
		func(s *situation) *situation { return s.at(66).pod("v0.9.6", true).turn() }, "Degraded", status.FailedStatus,
	},
	"retrying": {
		func(s *situation) *situation {
			return s.spec(destructive).at(62).pod("v0.10.0", true).turn().ends(failing(result.Transient, result.ReasonUnreachable)).turn()
		}, "Progressing", status.InProgressStatus,
	},
	"preflight-failed": {
		func(s *situation) *situation {
			res := failing(result.Refused, result.ReasonPreflight)
			res.Failure.Checks = []result.Check{{Name: "config-document", Revision: 63, Rows: 2}}
			return s.spec(destructive).at(62).pod("v0.10.0", true).turn().ends(res).turn()
		}, "Degraded", status.FailedStatus,
	},
}

func newSituation(t *testing.T) *situation {
	t.Helper()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	schema := &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "open-webui", Name: "open-webui", Generation: 1, CreationTimestamp: metav1.NewTime(now),
			UID: "5d4ccf8e-6f22-4a5e-9b1a-3f2f6a1c7d10", ResourceVersion: "1201",
		},
		Spec: v1alpha1.DatabaseSchemaSpec{
			Database:   v1alpha1.Database{URLFrom: v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: "open-webui-db", Key: "DATABASE_URL"}}},
			Migrations: v1alpha1.Migrations{Bundle: v1alpha1.BundleOpenWebUI},
		},
	}
	return &situation{plan.Observed{Schema: schema, Bundle: b, Source: "8f434346648f6b96", Now: now}, t}
}

func object(t *testing.T, schema *v1alpha1.DatabaseSchema) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(schema)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DatabaseSchema"))
	return u
}

// steady puts names that stay for those that follow from the contents of the
// bundle: files that another repository can take in must not change with each
// edit of a manifest.
func steady(schema *v1alpha1.DatabaseSchema, content []byte) []byte {
	st := schema.Status
	for _, name := range []struct{ made, shown string }{
		{st.Approval.Digest, "94075f2f6f6a56a7"},
		{st.Attempt.Decision, "94075f2f6f6a56a7"},
		{st.Attempt.Inputs, "cb6ebf22d166d72a"},
		{st.Attempt.Job, "open-webui-419ae4ebb004"},
	} {
		if name.made != "" {
			content = bytes.ReplaceAll(content, []byte(name.made), []byte(name.shown))
		}
	}
	return content
}

// TestArgoCDHealth: what Argo CD shows of the states that the operator brings
// about, which are the test data of the script, and that kstatus agrees.
func TestArgoCDHealth(t *testing.T) {
	t.Parallel()
	for name, tc := range situations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := tc.course(newSituation(t)).Schema
			u := object(t, schema)
			content, err := yaml.Marshal(u.Object)
			if err != nil {
				t.Fatal(err)
			}
			got := steady(schema, content)
			file := filepath.Join(string(scripts), "testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the operator writes; \"go test ./controllers -run ArgoCD -update\" writes it (-want +got):\n%s",
					file, gocmp.Diff(string(want), string(got)))
			}
			health, err := scripts.Health(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if health.Status != tc.health || health.Message == "" {
				t.Errorf("Argo CD says %+v, want %s", health, tc.health)
			}
			computed, err := status.Compute(u)
			if err != nil {
				t.Fatal(err)
			}
			if computed.Status != tc.kind {
				t.Errorf("kstatus says %s, want %s", computed.Status, tc.kind)
			}
		})
	}
}

// TestArgoCDHealthOfEveryVerdict: whatever the planner decides, Argo CD and kstatus
// agree, but for what waits for a person, of which kstatus knows nothing.
func TestArgoCDHealthOfEveryVerdict(t *testing.T) {
	t.Parallel()
	agreed := map[string]string{"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded"}
	tests := []struct {
		verdict plan.Verdict
		reason  string
		suspend bool
		want    string
	}{
		{plan.Ready, v1alpha1.ReasonUpToDate, false, ""},
		{plan.Ready, v1alpha1.ReasonUpToDate, true, ""},
		{plan.Progressing, v1alpha1.ReasonMigrating, false, ""},
		{plan.Progressing, v1alpha1.ReasonMigrating, true, ""},
		{plan.Progressing, v1alpha1.ReasonSuspended, true, "Suspended"},
		{plan.Progressing, v1alpha1.ReasonSuspended, false, ""},
		{plan.Stalled, v1alpha1.ReasonDowngradeRequired, false, ""},
		{plan.Stalled, v1alpha1.ReasonDowngradeRequired, true, ""},
		{plan.Blocked, v1alpha1.ReasonAwaitingApproval, false, "Suspended"},
	}
	for _, tc := range tests {
		s := newSituation(t)
		s.Schema.Spec.Suspend = &tc.suspend
		next := plan.Decision{Verdict: tc.verdict, Reason: tc.reason, Message: "Why."}
		want := v1alpha1.DatabaseSchemaStatus{ObservedGeneration: new(s.Schema.Generation)}
		newReconciler().setConditions(s.Schema, &want, next)
		s.Schema.Status = want
		u := object(t, s.Schema)
		health, err := scripts.Health(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		computed, err := status.Compute(u)
		if err != nil {
			t.Fatal(err)
		}
		if want := cmp.Or(tc.want, agreed[computed.Status.String()]); health.Status != want {
			t.Errorf("%+v: Argo CD says %+v, want %s", tc, health, want)
		}
	}
}
