package gitops_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/argocd"
)

// account is one that Argo CD acts with: it may do what the example allows, in one
// namespace.
func account(t *testing.T, namespace string) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	read(t, role, integrations, "argocd", "examples", "rbac.yaml")
	if err := server.Client.Create(t.Context(), role); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	user := "argocd-of-" + namespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "argocd"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	if err := server.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	c := server.As(t, user)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := c.List(ctx, &v1alpha1.DatabaseSchemaList{}, client.InNamespace(namespace))
		return err == nil, "the account may not list yet"
	})
	return c
}

// stored creates a schema with the status of a file.
func stored(t *testing.T, namespace, file string) *unstructured.Unstructured {
	t.Helper()
	from := &v1alpha1.DatabaseSchema{}
	read(t, from, directory, "actions", "testdata", file)
	schema := &v1alpha1.DatabaseSchema{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: from.Name}, Spec: from.Spec}
	if err := server.Client.Create(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	schema.Status = from.Status
	schema.Status.ObservedGeneration = new(schema.Generation)
	if err := server.Client.Status().Update(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	return get(t, server.Client, namespace, from.Name)
}

func get(t *testing.T, c client.Client, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DatabaseSchema"))
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// patch is what Argo CD sends for an action: what a merge patch has to change.
func patch(t *testing.T, live, wanted *unstructured.Unstructured) []byte {
	t.Helper()
	before, err := live.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	after, err := wanted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestActions: what the actions come to is accepted of an account that may do no
// more than the example allows, and is what the operator reads.
func TestActions(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	argo := account(t, namespace)
	tests := map[string]struct {
		file  string
		check func(schema *v1alpha1.DatabaseSchema, version string) bool
	}{
		"approve": {"awaiting-approval.yaml", func(s *v1alpha1.DatabaseSchema, _ string) bool {
			return s.Annotations[v1alpha1.AnnotationApprove] == s.Status.Approval.Digest && s.Status.Approval.Digest != ""
		}},
		"retry": {"preflight-failed.yaml", func(s *v1alpha1.DatabaseSchema, version string) bool {
			return s.Annotations[v1alpha1.AnnotationRetry] == "argocd-"+version
		}},
		"verify": {"up-to-date.yaml", func(s *v1alpha1.DatabaseSchema, version string) bool {
			return s.Annotations[v1alpha1.AnnotationVerify] == "argocd-"+version
		}},
		"suspend": {"up-to-date.yaml", func(s *v1alpha1.DatabaseSchema, _ string) bool {
			return s.Spec.Suspend != nil && *s.Spec.Suspend && s.Generation == 2
		}},
		"resume": {"suspended.yaml", func(s *v1alpha1.DatabaseSchema, _ string) bool {
			return s.Spec.Suspend != nil && !*s.Spec.Suspend && s.Generation == 2
		}},
	}
	for action, tc := range tests { // one after the other, for they share a name
		live := stored(t, namespace, tc.file)
		wanted, err := argocd.Scripts(directory).Act(t.Context(), action, live.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		change := patch(t, live, wanted)
		var top map[string]json.RawMessage
		if err := json.Unmarshal(change, &top); err != nil {
			t.Fatal(err)
		}
		if len(top) != 1 {
			t.Errorf("%s changes %s, want one thing", action, change)
		}
		if err := argo.Patch(t.Context(), live.DeepCopy(), client.RawPatch(types.MergePatchType, change)); err != nil {
			t.Errorf("%s: %v", action, err)
			continue
		}
		schema := &v1alpha1.DatabaseSchema{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(get(t, argo, namespace, live.GetName()).Object, schema); err != nil {
			t.Fatal(err)
		}
		if !tc.check(schema, live.GetResourceVersion()) {
			t.Errorf("after %s the schema is %+v", action, schema)
		}
		if err := server.Client.Delete(t.Context(), schema); err != nil {
			t.Fatal(err)
		}
	}
}

// TestActionsAllowNoMore: the account of the actions can neither bring a status about
// nor open a gate.
func TestActionsAllowNoMore(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	argo := account(t, namespace)
	live := stored(t, namespace, "awaiting-approval.yaml")
	status := client.RawPatch(types.MergePatchType, []byte(`{"status": {"waitingPods": 0}}`))
	if err := argo.Status().Patch(t.Context(), live.DeepCopy(), status); !apierrors.IsForbidden(err) {
		t.Errorf("writing the status: %v, want Forbidden", err)
	}
	if err := argo.Delete(t.Context(), live.DeepCopy()); !apierrors.IsForbidden(err) {
		t.Errorf("deleting: %v, want Forbidden", err)
	}
	schema := apiserver.NewSchema(namespace, "other")
	if err := argo.Create(t.Context(), schema); !apierrors.IsForbidden(err) {
		t.Errorf("creating: %v, want Forbidden", err)
	}
}

// TestFreshResource: of a resource that no operator has seen Argo CD waits for news.
func TestFreshResource(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	if err := server.Client.Create(t.Context(), apiserver.NewSchema(namespace, "open-webui")); err != nil {
		t.Fatal(err)
	}
	health, err := argocd.Scripts(filepath.Clean(directory)).Health(t.Context(), get(t, server.Client, namespace, "open-webui"))
	if err != nil || health.Status != "Progressing" {
		t.Errorf("the health is %+v (%v), want Progressing", health, err)
	}
}
