package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

	token := w.metricsToken()
	applied := fmt.Sprintf(`schemagate_databaseschema_applied_revision{name="open-webui",namespace=%q} %d`, w.namespace, needs[newRelease])
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		// The leader may have just changed.
		pod, _, _ := strings.Cut(leader(ctx, t), "_")
		text, err := scrape(ctx, pod, token)
		if err != nil {
			return false, err.Error()
		}
		if strings.Contains(text, w.password) {
			t.Error("the password is in the metrics")
		}
		for _, want := range []string{applied, "schemagate_gate_opened_total", `schemagate_migration_duration_seconds_count{result="Succeeded"}`} {
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

var forwarding = regexp.MustCompile(`127\.0\.0\.1:(\d+) ->`)

// scrape reads the metrics of a pod of the operator.
func scrape(ctx context.Context, pod, token string) (text string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "run", ".", "exec", "--", "kubectl", "-n", "schemagate-system", "port-forward", "pod/"+pod, ":8443")
	command.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "cluster")
	// The group, because "go run" would leave kubectl behind.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	output, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	defer func() {
		cancel()
		_ = command.Wait() // it was killed
	}()
	var port string
	for lines := bufio.NewScanner(output); port == "" && lines.Scan(); {
		if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
			port = match[1]
		}
	}
	if port == "" {
		return "", fmt.Errorf("kubectl does not forward to pod %s", pod)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:"+port+"/metrics", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	httpClient := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is made by the operator at start
	}}
	response, err := httpClient.Do(request)
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
