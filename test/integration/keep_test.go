package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// removeGate is the patch by which the operator opens the gate: it applies to
// this very pod as it was seen, and to this very gate.
func removeGate(pod *corev1.Pod) client.Patch {
	i := schedgate.Index(pod)
	return client.RawPatch(types.JSONPatchType, fmt.Appendf(nil, `[
  {"op": "test", "path": "/metadata/uid", "value": %q},
  {"op": "test", "path": "/metadata/resourceVersion", "value": %q},
  {"op": "test", "path": "/spec/schedulingGates/%d/name", "value": %q},
  {"op": "remove", "path": "/spec/schedulingGates/%d"}]`, pod.UID, pod.ResourceVersion, i, v1alpha1.GateName, i))
}

func TestWhoOpensTheGate(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	podEditor := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "patch", "update"}}}
	gate := func(verb string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"databaseschemas/gate"}, Verbs: []string{verb}}
	}
	everything := []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}
	tests := map[string]struct {
		client  client.Client
		allowed bool
	}{
		"member of system:masters":                 {client: server.Client},
		"cluster administrator":                    {client: asClusterUser(t, namespace+":cluster-admin", everything)},
		"administrator of the namespace":           {client: asUser(t, namespace, "namespace-admin", everything)},
		"pod editor":                               {client: asUser(t, namespace, "pod-editor", podEditor)},
		"pod editor who may get the gate":          {client: asUser(t, namespace, "gate-reader", append(podEditor, gate("get")))},
		"pod editor who may open gates elsewhere":  {client: elsewhere(t, namespace, podEditor, gate("update"))},
		"pod editor who may open gates":            {client: asUser(t, namespace, "gatekeeper", append(podEditor, gate("update"))), allowed: true},
		"pod editor who may open gates everywhere": {client: asClusterUser(t, namespace+":gatekeeper-everywhere", append(podEditor, gate("update"))), allowed: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := labeledPod(namespace, "app:9.9.9")
			pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/quota"}}
			create(t, pod)
			err := tc.client.Patch(t.Context(), pod.DeepCopy(), removeGate(pod))
			if tc.allowed {
				if err != nil {
					t.Errorf("the gate was not opened: %v", err)
				}
				return
			}
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "'"+naming.PolicyKeep+"'") {
				t.Errorf("%v, want a refusal by %s", err, naming.PolicyKeep)
			}
			// Other gates are nobody's business but their owners'.
			other := client.RawPatch(types.JSONPatchType, []byte(`[{"op": "remove", "path": "/spec/schedulingGates/0"}]`))
			if err := tc.client.Patch(t.Context(), pod.DeepCopy(), other); err != nil {
				t.Errorf("another gate was not opened: %v", err)
			}
		})
	}
}

// TestLabelEditedAwayFirst: the gate is guarded on a pod without the label, too.
func TestLabelEditedAwayFirst(t *testing.T) {
	t.Parallel()
	pod := labeledPod(server.NewNamespace(t), "app:9.9.9")
	create(t, pod)
	base := pod.DeepCopy()
	delete(pod.Labels, v1alpha1.LabelSchema)
	refused(t, server.Client.Patch(t.Context(), pod.DeepCopy(), client.MergeFrom(base)), naming.PolicyFixed)

	// Both at once is refused as well.
	both := pod.DeepCopy()
	schedgate.Remove(both)
	if err := server.Client.Update(t.Context(), both); !apierrors.IsForbidden(err) {
		t.Errorf("%v, want a refusal", err)
	}

	// A gate from a pod template, on a pod that never had the label.
	templated := labeledPod(pod.Namespace, "app:9.9.9")
	templated.Labels = nil
	templated.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
	create(t, templated)
	refused(t, server.Client.Patch(t.Context(), templated.DeepCopy(), removeGate(templated)), naming.PolicyKeep)
}

func TestWhatADecisionWasBasedOnIsFixed(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	tests := map[string]struct {
		before  func(*corev1.Pod)
		change  func(*corev1.Pod)
		allowed bool
	}{
		"another label":      {change: func(p *corev1.Pod) { p.Labels["app"] = "web" }, allowed: true},
		"another annotation": {change: func(p *corev1.Pod) { p.Annotations["example.com/a"] = "b" }, allowed: true},
		"sidecar image": {
			before: func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1"})
			},
			change:  func(p *corev1.Pod) { p.Spec.Containers[1].Image = "proxy:2" },
			allowed: true,
		},
		"application image":      {change: func(p *corev1.Pod) { p.Spec.Containers[0].Image = "app:0.10.2" }},
		"application image, tag": {change: func(p *corev1.Pod) { p.Spec.Containers[0].Image = appImage + "-cuda" }},
		"label value":            {change: func(p *corev1.Pod) { p.Labels[v1alpha1.LabelSchema] = "another" }},
		"label removed":          {change: func(p *corev1.Pod) { delete(p.Labels, v1alpha1.LabelSchema) }},
		"label emptied":          {change: func(p *corev1.Pod) { p.Labels[v1alpha1.LabelSchema] = "" }},
		"label added late": {
			before: func(p *corev1.Pod) { delete(p.Labels, v1alpha1.LabelSchema) },
			change: func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.LabelSchema: schemaName} },
		},
		"label added late to a gated pod": {
			before: func(p *corev1.Pod) {
				delete(p.Labels, v1alpha1.LabelSchema)
				p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
			},
			change:  func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.LabelSchema: schemaName} },
			allowed: true,
		},
		"requires added":    {change: func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationRequires] = "1" }},
		"container added":   {change: func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationContainer] = "proxy" }},
		"requires changed":  {before: requiring("73"), change: func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationRequires] = "72" }},
		"requires removed":  {before: requiring("73"), change: func(p *corev1.Pod) { delete(p.Annotations, v1alpha1.AnnotationRequires) }},
		"requires the same": {before: requiring("73"), change: func(p *corev1.Pod) { p.Annotations["example.com/a"] = "b" }, allowed: true},
		"image of the container that the annotation names": {
			before: func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "web", Image: "web:0.11.0"})
				p.Annotations = map[string]string{v1alpha1.AnnotationContainer: "web"}
			},
			change: func(p *corev1.Pod) { p.Spec.Containers[1].Image = "web:0.10.2" },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := labeledPod(namespace, appImage)
			if tc.before != nil {
				tc.before(pod)
			}
			create(t, pod)
			if pod.Annotations == nil {
				pod.Annotations = map[string]string{}
			}
			base := pod.DeepCopy()
			tc.change(pod)
			err := server.Client.Patch(t.Context(), pod.DeepCopy(), client.MergeFrom(base))
			switch {
			case tc.allowed && err != nil:
				t.Errorf("refused: %v", err)
			case !tc.allowed:
				refused(t, err, naming.PolicyFixed)
			}
			if tc.allowed || pod.Spec.Containers[0].Image != base.Spec.Containers[0].Image || len(pod.Spec.Containers) > 1 {
				return
			}
			// The status is written by others, and carries labels as well.
			refused(t, server.Client.Status().Patch(t.Context(), pod.DeepCopy(), client.MergeFrom(base)), naming.PolicyFixed)
		})
	}
}

func requiring(value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.AnnotationRequires: value} }
}

func refused(t *testing.T, err error, policy string) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "'"+policy+"'") {
		t.Errorf("%v, want a refusal by %s", err, policy)
	}
}

// asUser returns a client of a user who holds the rules in one namespace.
func asUser(t *testing.T, namespace, user string, rules []rbacv1.PolicyRule) client.Client {
	t.Helper()
	create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, Rules: rules})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: namespace + ":" + user}},
	})
	return awaitAuthorized(t, namespace, server.As(t, namespace+":"+user))
}

// asClusterUser returns a client of a user who holds the rules in every namespace.
func asClusterUser(t *testing.T, user string, rules []rbacv1.PolicyRule) client.Client {
	t.Helper()
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	return awaitAuthorized(t, "default", server.As(t, user))
}

// elsewhere returns a client of a user who edits pods here and opens gates in
// another namespace.
func elsewhere(t *testing.T, namespace string, here []rbacv1.PolicyRule, there rbacv1.PolicyRule) client.Client {
	t.Helper()
	other := server.NewNamespace(t)
	asUser(t, other, "elsewhere", append(here, there))
	user := other + ":elsewhere"
	create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "elsewhere"}, Rules: here})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "elsewhere"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "elsewhere"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	return awaitAuthorized(t, namespace, server.As(t, user))
}

// awaitAuthorized waits until the API server has taken the user's rules up.
func awaitAuthorized(t *testing.T, namespace string, c client.Client) client.Client {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "none"}, &corev1.Pod{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	return c
}
