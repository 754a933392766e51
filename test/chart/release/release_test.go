package release_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// crdName is the name of our resource definition.
const crdName = "databaseschemas.schemagate.dev"

// TestRelease is the life of a release of the operator and of some of an application
// in one cluster: what one step leaves, the next one begins with.
func TestRelease(t *testing.T) {
	w := newWorld(t, "chat")
	steps := []struct {
		name string
		run  func(*world)
	}{
		{"an older chart is installed", olderChart},
		{"an application is installed while it waits for its database", application},
		{"the operator is upgraded", operatorUpgrade},
		{"a release that cannot go on fails with its reason", stalledRelease},
		{"the application is upgraded", applicationUpgrade},
		{"the application is rolled back", applicationRollback},
		{"the application is upgraded past a fencing revision", fencingUpgrade},
		{"a rollback past it is refused", refusedRollback},
		{"the policies that are new in Kubernetes 1.36 are left out", withoutMutating},
		{"only one namespace is served", oneNamespace},
		{"the operator is uninstalled", uninstalled},
		{"the operator is installed again", installedAgain},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) {
			here := *w
			here.t = t
			step.run(&here)
		}) {
			t.FailNow()
		}
	}
}

// current is the chart of this tree, with values.
func current(t *testing.T, values ...string) (*chart.Chart, map[string]any) {
	t.Helper()
	return helm.Load(t, helm.Dir("schemagate")), helm.Values(t, append([]string{image}, values...)...)
}

// app is an application's chart, with the stand-in for a release.
func app(t *testing.T, release string, values ...string) (*chart.Chart, map[string]any) {
	t.Helper()
	values = append(values, "image: open-webui:v"+release)
	return helm.LoadApplication(t, filepath.Join("..", "testdata", "application")), helm.Values(t, values...)
}

// olderChart installs a stand-in for the chart of an older version. There has been
// no release yet, so it is this one with what such a chart may lack: a template, an
// entry of the resource definition, the text of a policy.
func olderChart(w *world) {
	t := w.t
	older, _ := current(t)
	older.Metadata.Version, older.Metadata.AppVersion = "0.0.9", "0.0.9"
	older.Templates = slices.DeleteFunc(older.Templates, func(file *common.File) bool {
		return strings.HasSuffix(file.Name, "poddisruptionbudget.yaml")
	})
	for _, file := range older.Files {
		before := file.Data
		switch file.Name {
		case "files/crd.yaml":
			file.Data = bytes.Replace(before, []byte("    shortNames:\n    - dbs\n"), nil, 1)
		case "files/admission/schemagate-gate-fixed.yaml":
			file.Data = bytes.ReplaceAll(before, []byte("cannot change"), []byte("must not change"))
		default:
			continue
		}
		if bytes.Equal(before, file.Data) {
			t.Fatalf("%s is no different in the older chart", file.Name)
		}
	}
	must(t, install(t, operatorNamespace, "schemagate", older, helm.Values(t, image, "replicas: 1")))
	if names := definition(t).Spec.Names.ShortNames; len(names) > 0 {
		t.Errorf("the older definition has the short names %v", names)
	}
}

// application installs a workload and its schema together: the pods are gated, the
// database is empty, and Helm waits until both are as they are to be.
func application(w *world) {
	t := w.t
	c, values := app(t, oldRelease)
	must(t, install(t, w.namespace, "chat", c, values))
	w.runs(oldRelease, oldRelease)
	w.exec(`INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at)
		SELECT 'c' || n, 'u1', 'Chat ' || n, '{}', false, 1, 1 FROM generate_series(1, 100) AS n`)
}

// operatorUpgrade brings what the older chart lacked, and disturbs nobody.
func operatorUpgrade(w *world) {
	t := w.t
	before, jobs := w.uids(), w.jobs()
	c, values := current(t)
	upgraded, err := upgrade(t, operatorNamespace, "schemagate", c, values)
	must(t, err)
	if !strings.Contains(upgraded.Info.Notes, "kind: DatabaseSchema") {
		t.Errorf("the notes are %s", upgraded.Info.Notes)
	}
	if names := definition(t).Spec.Names.ShortNames; !slices.Equal(names, []string{"dbs"}) {
		t.Errorf("the definition has the short names %v", names)
	}
	budget := &policyv1.PodDisruptionBudget{}
	must(t, admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "schemagate"}, budget))
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	must(t, admin.Get(t.Context(), client.ObjectKey{Name: naming.PolicyFixed}, policy))
	if strings.Contains(fmt.Sprint(policy.Spec.Validations), "must not change") {
		t.Error("the policy is that of the older chart")
	}
	operator := &appsv1.Deployment{}
	must(t, admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "schemagate"}, operator))
	if operator.Status.ReadyReplicas != 2 {
		t.Errorf("%d replicas are ready after --wait, want 2", operator.Status.ReadyReplicas)
	}
	if after := w.uids(); !slices.Equal(before, after) || w.jobs() != jobs {
		t.Errorf("the application's pods were %v and are %v, with %d Jobs and now %d", before, after, jobs, w.jobs())
	}
}

// stalledRelease: Helm does not wait for what only a person can mend, and says what
// the schema says. It does wait for what else is in the release, as for a Deployment
// until its progress deadline.
func stalledRelease(w *world) {
	t := w.t
	w = newWorld(t, "stalled")
	target := "target: {type: Revision, revision: '123456789abc'}"
	for _, values := range []string{"deployment: false", "progressDeadlineSeconds: 5"} {
		c, merged := app(t, oldRelease, target, values)
		w.tells(install(t, w.namespace, "chat", c, merged), v1alpha1.ReasonUnknownRevision)
		must(t, uninstall(t, w.namespace, "chat"))
	}
}

// tells fails the test unless Helm has failed with the message of the condition
// Stalled, and not because its time was over.
func (w *world) tells(err error, reason string) {
	w.t.Helper()
	condition := apimeta.FindStatusCondition(w.schema().Status.Conditions, v1alpha1.ConditionStalled)
	if condition == nil || condition.Reason != reason {
		w.t.Fatalf("the schema is not stalled for %s: %+v; Helm says %v", reason, condition, err)
	}
	if err == nil || !strings.Contains(err.Error(), condition.Message) || errors.Is(err, context.DeadlineExceeded) {
		w.t.Errorf("Helm does not fail with %q: %v", condition.Message, err)
	}
}

// applicationUpgrade migrates while the old pods serve; Helm waits for it. The
// deadline is for refusedRollback, which comes back to this revision.
func applicationUpgrade(w *world) {
	t := w.t
	c, values := app(t, newRelease, "progressDeadlineSeconds: 60")
	_, err := upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(newRelease, newRelease)
}

// applicationRollback lowers the image. The database serves the older release, too,
// and nothing is migrated.
func applicationRollback(w *world) {
	t := w.t
	jobs := w.jobs()
	must(t, rollback(t, w.namespace, "chat", 1))
	w.runs(newRelease, oldRelease)
	if w.jobs() != jobs {
		t.Errorf("the rollback ran %d Jobs", w.jobs()-jobs)
	}
}

func fencingUpgrade(w *world) {
	t := w.t
	c, values := app(t, fencingRelease)
	_, err := upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(fencingRelease, fencingRelease)
}

// refusedRollback: Helm lowers the image, which asks for a database that is no more.
// It says so, the pods serve on, and nothing goes down.
func refusedRollback(w *world) {
	t := w.t
	jobs := w.jobs()
	w.tells(rollback(t, w.namespace, "chat", 2), v1alpha1.ReasonDowngradeRequired)
	w.awaitWaiting(newRelease)
	if w.jobs() != jobs || w.schema().Status.AppliedRevision.Version != needs[fencingRelease] || w.chats() != 100 {
		t.Errorf("the rollback ran %d Jobs, the database is at %d with %d chats", w.jobs()-jobs,
			w.schema().Status.AppliedRevision.Version, w.chats())
	}
	c, values := app(t, fencingRelease)
	_, err := upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(fencingRelease, fencingRelease)
}

// withoutMutating is how an older cluster is served, on this one: the mutating
// policies go, the operator does not want them, and the gate is in the template of
// the pods. A pod with the label alone is refused.
func withoutMutating(w *world) {
	t := w.t
	c, values := current(t, "admissionPolicies: {mutating: false}")
	_, err := upgrade(t, operatorNamespace, "schemagate", c, values)
	must(t, err)
	policies := &admissionregistrationv1.MutatingAdmissionPolicyList{}
	must(t, admin.List(t.Context(), policies))
	if len(policies.Items) > 0 {
		t.Fatalf("%d mutating policies are left", len(policies.Items))
	}

	w = newWorld(t, "before-136")
	c, values = app(t, oldRelease, "schemagate: {podTemplateGate: true}")
	must(t, install(t, w.namespace, "chat", c, values))
	w.runs(oldRelease, oldRelease)
	c, values = app(t, fencingRelease, "schemagate: {podTemplateGate: true}")
	_, err = upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(fencingRelease, fencingRelease)

	labeled := probePod("chat")
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := admin.Create(ctx, labeled.DeepCopy(), client.DryRunAll)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), naming.PolicyClosed), fmt.Sprint(err)
	})
}

// oneNamespace takes the operator's permissions elsewhere away: the namespace that it
// still serves goes on, the other one waits.
func oneNamespace(w *world) {
	t := w.t
	c, values := current(t, "watchNamespaces: [chat]")
	_, err := upgrade(t, operatorNamespace, "schemagate", c, values)
	must(t, err)
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "schemagate-manager"}, &rbacv1.ClusterRole{}); !apierrors.IsNotFound(err) {
		t.Errorf("the ClusterRole is still there: %v", err)
	}
	must(t, admin.Get(t.Context(), client.ObjectKey{Namespace: "chat", Name: "schemagate-manager"}, &rbacv1.Role{}))
	c, values = app(t, fencingRelease, "replicas: 1")
	_, err = upgrade(t, w.namespace, "chat", c, values)
	must(t, err)

	elsewhere := newWorld(t, "elsewhere")
	must(t, admin.Create(t.Context(), apiserver.NewSchema(elsewhere.namespace, "open-webui")))
	c, values = app(t, fencingRelease, "replicas: 2")
	_, err = upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(fencingRelease, fencingRelease)
	// What is in "elsewhere" is older than what the operator has done since.
	if got := elsewhere.schema().Status.ObservedGeneration; got != nil && *got >= 0 {
		t.Errorf("the schema elsewhere was looked at: %+v", elsewhere.schema().Status)
	}
}

// uninstalled leaves the definition, the schemas and what is in the databases.
func uninstalled(w *world) {
	t := w.t
	before := w.schema()
	must(t, uninstall(t, operatorNamespace, "schemagate"))
	definition(t)
	if after := w.schema(); after.UID != before.UID || after.Status.AppliedRevision != before.Status.AppliedRevision {
		t.Errorf("the schema is another one: %+v", after.Status)
	}
	if rows := w.chats(); rows != 100 {
		t.Errorf("there are %d chats, want 100", rows)
	}
	policies := &admissionregistrationv1.ValidatingAdmissionPolicyList{}
	must(t, admin.List(t.Context(), policies))
	for i := range policies.Items {
		if strings.HasPrefix(policies.Items[i].Name, naming.PolicyPrefix) {
			t.Errorf("the policy %s is left", policies.Items[i].Name)
		}
	}
	roles := &rbacv1.ClusterRoleList{}
	must(t, admin.List(t.Context(), roles))
	for i := range roles.Items {
		if strings.HasPrefix(roles.Items[i].Name, "schemagate-") {
			t.Errorf("the role %s is left", roles.Items[i].Name)
		}
	}
}

// installedAgain takes the definition over, and goes on where the last one ended.
func installedAgain(w *world) {
	t := w.t
	jobs := w.jobs()
	c, values := current(t)
	must(t, install(t, operatorNamespace, "schemagate", c, values))
	c, values = app(t, fencingRelease)
	_, err := upgrade(t, w.namespace, "chat", c, values)
	must(t, err)
	w.runs(fencingRelease, fencingRelease)
	if w.jobs() != jobs {
		t.Errorf("it ran %d Jobs", w.jobs()-jobs)
	}
	must(t, uninstall(t, w.namespace, "chat"))
	if rows := w.chats(); rows != 100 {
		t.Errorf("there are %d chats after the application was uninstalled, want 100", rows)
	}
	must(t, uninstall(t, operatorNamespace, "schemagate"))
	must(t, admin.Delete(t.Context(), definition(t)))
}

func definition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	found := &apiextensionsv1.CustomResourceDefinition{}
	must(t, admin.Get(t.Context(), client.ObjectKey{Name: crdName}, found))
	return found
}
