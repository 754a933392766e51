package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// TestMetrics reads what Prometheus would, with the role that the manifests have
// for it: the leader tells of a schema, and of no password.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)

	w.awaitMetrics(fmt.Sprintf(`schemagate_databaseschema_applied_revision{name="open-webui",namespace=%q} %d`, w.namespace, needs[newRelease]),
		"schemagate_gate_opened_total", `schemagate_migration_duration_seconds_count{result="Succeeded"}`)
}

// awaitMetrics waits until the leader tells all of these, and sees that it tells
// no password.
func (w *world) awaitMetrics(wanted ...string) {
	w.t.Helper()
	token := w.metricsToken()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		// The leader may have just changed.
		pod, _, _ := strings.Cut(leader(ctx, w.t), "_")
		text, err := scrape(ctx, pod, token)
		if err != nil {
			return false, err.Error()
		}
		if strings.Contains(text, w.password) {
			w.t.Error("the password is in the metrics")
		}
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				return false, "there is no " + want
			}
		}
		return true, ""
	})
}

// metricsToken returns the token of an account that may read metrics.
func (w *world) metricsToken() string {
	w.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "prometheus"}}
	create(w.t, account)
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "schemagate-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.namespace, Name: account.Name}},
	}
	create(w.t, binding)
	w.t.Cleanup(func() {
		if err := admin.Delete(context.WithoutCancel(w.t.Context()), binding); err != nil {
			w.t.Error(err)
		}
	})
	request := &authenticationv1.TokenRequest{}
	if err := admin.SubResource("token").Create(w.t.Context(), account, request); err != nil {
		w.t.Fatal(err)
	}
	return request.Status.Token
}

// scrape reads the metrics of a pod of the operator. The node's pods can be
// reached from here, as they can from a Prometheus in the cluster.
func scrape(ctx context.Context, pod, token string) (text string, err error) {
	operator := &corev1.Pod{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: "schemagate-system", Name: pod}, operator); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(operator.Status.PodIP, "8443")+"/metrics", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is made by the operator at start
	}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the operator answers %s", response.Status)
	}
	return string(body), err
}
