package integration_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/argocd"
	"github.com/schemagate/schemagate/migrations"
)

// argo is somebody who looks at a schema through Argo CD.
type argo struct {
	t       *testing.T
	scripts argocd.Scripts
	schema  *v1alpha1.DatabaseSchema
	// user may do what the role schemagate-edit allows, as Argo CD may.
	user client.Client
}

func newArgo(t *testing.T, schema *v1alpha1.DatabaseSchema) *argo {
	t.Helper()
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "argocd-" + schema.Namespace}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"databaseschemas"}, Verbs: []string{"get", "patch"}},
	}})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: schema.Namespace, Name: "argocd"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "argocd-" + schema.Namespace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "argocd"}},
	})
	a := &argo{t: t, schema: schema, user: server.As(t, "argocd")}
	a.scripts = argocd.Scripts(filepath.Join(apiserver.RepositoryRoot(), "integrations", "argocd", "resource_customizations", "schemagate.dev", "DatabaseSchema"))
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := a.user.Get(ctx, client.ObjectKeyFromObject(schema), schema.DeepCopy())
		return err == nil, fmt.Sprint(err)
	})
	return a
}

// get returns the schema as Argo CD has it.
func (a *argo) get() *unstructured.Unstructured {
	a.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DatabaseSchema"))
	if err := a.user.Get(a.t.Context(), client.ObjectKeyFromObject(a.schema), u); err != nil {
		a.t.Fatal(err)
	}
	return u
}

// shows compares what Argo CD shows of a state with what it should, and with what
// Helm and Flux make of the same.
func (a *argo) shows(state, want string, kstatus status.Status, enabled string) {
	a.t.Helper()
	u := a.get()
	health, err := a.scripts.Health(a.t.Context(), u)
	if err != nil {
		a.t.Fatal(err)
	}
	if health.Status != want || health.Message == "" {
		a.t.Errorf("%s: Argo CD shows %+v, want %s", state, health, want)
	}
	if computed, err := status.Compute(u); err != nil || computed.Status != kstatus {
		a.t.Errorf("%s: kstatus says %+v, want %s (%v)", state, computed, kstatus, err)
	}
	actions, err := a.scripts.Actions(a.t.Context(), u)
	if err != nil {
		a.t.Fatal(err)
	}
	var open []string
	for _, action := range actions {
		if !action.Disabled {
			open = append(open, action.Name)
		}
	}
	if got := strings.Join(open, " "); got != enabled || len(actions) != 5 {
		a.t.Errorf("%s: the actions are %s, want %s", state, got, enabled)
	}
}

// act carries an action out as Argo CD does: a patch of what the script changes.
func (a *argo) act(name string) *unstructured.Unstructured {
	a.t.Helper()
	before := a.get()
	after, err := a.scripts.Act(a.t.Context(), name, before)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := a.user.Patch(a.t.Context(), after, client.MergeFrom(before)); err != nil {
		a.t.Fatalf("%s: %v", name, err)
	}
	return after
}

// TestArgoCD goes through the states of a schema, looks at each as Argo CD does,
// and acts on them through it.
func TestArgoCD(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	a := newArgo(t, schema)
	const usual = "retry suspend verify"
	a.shows("fresh", "Progressing", status.InProgressStatus, usual)

	startOperatorIn(t, namespace)
	create(t, labeledPod(namespace, "ghcr.io/open-webui/open-webui:v0.9.6"))
	await(t, schema, isReason(v1alpha1.ReasonInspecting))
	a.shows("inspecting", "Progressing", status.InProgressStatus, usual)

	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	revision, _ := b.Revision(62)
	migrate(t, schema, "1", result.Result{
		Outcome: result.Done, To: 62, Target: 62, Birth: "peewee", ID: revision.ID, AppVersion: revision.App.String(), Applied: 62,
	})
	await(t, schema, isReady)
	a.shows("ready", "Healthy", status.CurrentStatus, usual)

	create(t, labeledPod(namespace, "ghcr.io/open-webui/open-webui:v0.10.2"))
	asked := await(t, schema, isReason(v1alpha1.ReasonAwaitingApproval))
	a.shows("awaiting-approval", "Suspended", status.InProgressStatus, "approve "+usual)
	a.act("suspend")
	await(t, schema, isReason(v1alpha1.ReasonSuspended))
	a.shows("suspended", "Suspended", status.InProgressStatus, "resume")
	a.act("resume")
	await(t, schema, isReason(v1alpha1.ReasonAwaitingApproval))
	approved := a.act("approve")
	if got := approved.GetAnnotations()[v1alpha1.AnnotationApprove]; got == "" || got != asked.Approval.Digest {
		t.Errorf("%q is approved, %q was asked about", got, asked.Approval.Digest)
	}
	await(t, schema, isReason(v1alpha1.ReasonCheckingImage))
	a.shows("checking-image", "Progressing", status.InProgressStatus, usual)
	if s := await(t, schema, isReason(v1alpha1.ReasonCheckingImage)); s.Approval.Digest != "" {
		t.Errorf("it still asks to approve %+v", s.Approval)
	}
}

// TestArgoCDStalled: what needs a person is Degraded, and the actions that a person
// has for it reach the operator.
func TestArgoCDStalled(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	a := newArgo(t, schema)
	failure := result.Result{
		Outcome: result.Refused, Reason: result.ReasonPreflight, From: 60, To: 60, Target: 73, Birth: "peewee",
		Failure: &result.Failure{Checks: []result.Check{{Name: "user_email_unique", Revision: 73, Rows: 2}}},
	}
	migrate(t, schema, "1", failure)
	await(t, schema, isStalled("PreflightFailed"))
	a.shows("stalled", "Degraded", status.FailedStatus, "retry suspend verify")
	asked := a.act("retry")
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool {
		return s.LastHandledRetry == asked.GetAnnotations()[v1alpha1.AnnotationRetry]
	})
	migrate(t, schema, "2", born)
	await(t, schema, isReady)
	asked = a.act("verify")
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool {
		return s.LastHandledVerify == asked.GetAnnotations()[v1alpha1.AnnotationVerify]
	})
	a.shows("verifying", "Healthy", status.CurrentStatus, "retry suspend verify")
}
