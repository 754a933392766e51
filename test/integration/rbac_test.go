package integration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/manager"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// operator is the operator's account.
func operator(namespace string) string {
	return "system:serviceaccount:" + namespace + ":" + naming.ServiceAccount
}

// operatorRules are the permissions that config/rbac gives the operator.
func operatorRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "rbac", "role", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	role := rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(content, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

// bindOperator gives the operator's account its permissions in a namespace, or
// everywhere when that is "". The account lives in a namespace of the test.
func bindOperator(t *testing.T, home, namespace string) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: home + "-manager"}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: naming.ServiceAccount}}
	if namespace == "" {
		bindClusterID(t, home, subjects)
		create(t, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: operatorRules(t)})
		create(t, &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
		})
	} else {
		bindNamespace(t, meta, subjects)
	}
	// The Lease's Role is written for the operator's usual namespace.
	content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "rbac", "leader_election.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lease := rbacv1.Role{}
	if err := yaml.Unmarshal(content, &lease); err != nil {
		t.Fatal(err)
	}
	leaseMeta := metav1.ObjectMeta{Namespace: home, Name: lease.Name}
	create(t, &rbacv1.Role{ObjectMeta: leaseMeta, Rules: lease.Rules})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: leaseMeta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: lease.Name},
	})
}

// bindNamespace lets the operator work in one namespace.
func bindNamespace(t *testing.T, meta metav1.ObjectMeta, subjects []rbacv1.Subject) {
	t.Helper()
	create(t, &rbacv1.Role{ObjectMeta: meta, Rules: operatorRules(t)})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
	})
}

// bindClusterID lets the operator read what tells its cluster from others.
func bindClusterID(t *testing.T, home string, subjects []rbacv1.Subject) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "rbac", "cluster_facts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(content), "\n---\n")
	role := rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict([]byte(first), &role); err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Name: home + "-cluster-id"}
	create(t, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: role.Rules})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
	})
}

// TestOperatorMayDoWhatItDoesAndNothingElse asks the API server's authorizer.
func TestOperatorMayDoWhatItDoesAndNothingElse(t *testing.T) {
	t.Parallel()
	home, namespace := server.NewNamespace(t), server.NewNamespace(t)
	bindOperator(t, home, namespace)
	tests := []struct {
		verb, group, resource, subresource string
		allowed                            bool
	}{
		{"update", v1alpha1.GroupName, "databaseschemas", "gate", true},
		{"patch", v1alpha1.GroupName, "databaseschemas", "status", true},
		{"watch", v1alpha1.GroupName, "databaseschemas", "", true},
		{"patch", "", "pods", "", true},
		{"delete", "", "pods", "", true},
		{"create", "batch", "jobs", "", true},

		{"update", v1alpha1.GroupName, "databaseschemas", "", false},
		{"patch", v1alpha1.GroupName, "databaseschemas", "", false},
		{"create", "", "pods", "", false},
		{"create", "", "pods", "exec", false},
		{"create", "", "pods", "eviction", false},
		{"create", "", "serviceaccounts", "token", false},
		{"patch", "apps", "deployments", "", false},
		{"get", "", "configmaps", "", false},
		{"impersonate", "", "users", "", false},
		{"update", "admissionregistration.k8s.io", "mutatingadmissionpolicies", "", false},
	}
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
		tests = append(tests, struct {
			verb, group, resource, subresource string
			allowed                            bool
		}{verb, "", "secrets", "", false})
	}
	// The rules are taken up a moment later.
	awaitAuthorized(t, namespace, server.As(t, operator(home)))
	for _, tc := range tests {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: operator(home), Groups: []string{"system:authenticated", "system:serviceaccounts"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: tc.verb, Group: tc.group, Resource: tc.resource, Subresource: tc.subresource,
			},
		}}
		create(t, review)
		if review.Status.Allowed != tc.allowed {
			t.Errorf("%s %s/%s of group %q: allowed = %v, want %v", tc.verb, tc.resource, tc.subresource, tc.group, review.Status.Allowed, tc.allowed)
		}
	}
}

func TestOperatorOpensTheGate(t *testing.T) {
	t.Parallel()
	home, namespace := server.NewNamespace(t), server.NewNamespace(t)
	bindOperator(t, home, namespace)
	c := awaitAuthorized(t, namespace, server.As(t, operator(home)))
	pod := labeledPod(namespace, "app:9.9.9")
	create(t, pod)
	stale := removeGate(pod)
	pod.Annotations = map[string]string{v1alpha1.AnnotationHold: "2"}
	if err := server.Client.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if err := c.Patch(t.Context(), pod.DeepCopy(), stale); !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
		t.Errorf("a release decided before the hold: %v, want it to fail", err)
	}
	opened := pod.DeepCopy()
	if err := c.Patch(t.Context(), opened, removeGate(pod)); err != nil {
		t.Fatal(err)
	}
	if schedgate.Has(opened) {
		t.Error("the gate is still there")
	}
}

// TestManager starts the operator with the permissions of config/rbac and
// nothing else, for all namespaces and for one.
func TestManager(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"all namespaces", "one namespace"} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			home, namespace, other := server.NewNamespace(t), server.NewNamespace(t), server.NewNamespace(t)
			options := manager.Options{
				LeaderElect: true, LeaderElectionNamespace: home, MetricsBindAddress: "0", HealthBindAddress: "0", LogFormat: "json", LogLevel: "info",
				MigrationImage: "schemagate:test",
			}
			if scope == "one namespace" {
				options.Namespaces = []string{namespace}
				options.ClusterID = "test" // there is no ClusterRole to read it with
				bindOperator(t, home, namespace)
			} else {
				bindOperator(t, home, "")
			}
			awaitAuthorized(t, namespace, server.As(t, operator(home)))
			for _, n := range []string{namespace, other} {
				create(t, apiserver.NewSchema(n, schemaName))
				create(t, labeledPod(n, appImage))
				unlabeled := labeledPod(n, appImage)
				unlabeled.Labels = nil
				create(t, unlabeled)
			}
			c := startManager(t, server.Config, home, options, logr.Discard())

			for _, n := range []string{namespace, other} {
				want := 1
				if n == other && scope == "one namespace" {
					want = 0
				}
				schemas, pods := &v1alpha1.DatabaseSchemaList{}, &corev1.PodList{}
				if err := errors.Join(list(t, c, schemas, n), list(t, c, pods, n)); err != nil {
					if want > 0 {
						t.Error(err)
					}
					continue // a namespace that is not served cannot be asked for
				}
				if len(schemas.Items) != want || len(pods.Items) != want {
					t.Errorf("the cache holds %d schemas and %d pods of namespace %s, want %d of each", len(schemas.Items), len(pods.Items), n, want)
				}
			}
		})
	}
}

// startManager runs the operator as its own account until the test ends, and
// returns its cached client once it leads.
func startManager(t *testing.T, config *rest.Config, home string, options manager.Options, logger logr.Logger) client.Client {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: operator(home), Groups: []string{"system:authenticated", "system:serviceaccounts"}}
	mgr, err := manager.New(t.Context(), config, options, logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended with %v", err)
		}
	})
	select {
	case <-mgr.Elected():
	case err := <-ended:
		ended <- nil
		t.Fatalf("the operator ended early: %v", err)
	case <-timeout(t):
		t.Fatalf("the operator does not lead within %s", apiserver.Timeout)
	}
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the caches are not in sync")
	}
	return mgr.GetClient()
}

func timeout(t *testing.T) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), apiserver.Timeout)
	t.Cleanup(cancel)
	return ctx.Done()
}

func list(t *testing.T, c client.Client, into client.ObjectList, namespace string) error {
	t.Helper()
	if err := c.List(t.Context(), into, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing %T: %w", into, err)
	}
	return nil
}
