package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// buildProgram compiles the program.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "schemagate")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = apiserver.RepositoryRoot()
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, text)
	}
	return program
}

// operatorKubeconfig returns a file with which a process is the operator.
func operatorKubeconfig(t *testing.T, namespace string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"test": {Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"operator": {
			ClientCertificateData: server.Config.CertData, ClientKeyData: server.Config.KeyData,
			Impersonate: operator(namespace), ImpersonateGroups: []string{"system:authenticated", "system:serviceaccounts"},
		}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "operator"}},
		CurrentContext: "test",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is an operator in a process of its own.
type process struct {
	address string
	command *exec.Cmd
	log     *output
}

// startProcess runs the program as its Deployment does.
func startProcess(t *testing.T, program, kubeconfig, namespace string) *process {
	t.Helper()
	p := &process{address: freeAddress(t), log: &output{}}
	p.command = exec.CommandContext(t.Context(), program, "manager", "--namespaces="+namespace, "--leader-election-namespace="+namespace,
		"--migration-image=schemagate:test", "--cluster-id=test", "--metrics-bind-address="+p.address, "--health-probe-bind-address=0")
	p.command.Env = []string{"KUBECONFIG=" + kubeconfig}
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// stop asks the process to end, and checks all that it has logged.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("the operator ended with %v", err)
	}
	lines := p.log.lines()
	for _, line := range lines {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["time"] == nil || entry["level"] == nil || entry["msg"] == nil {
			t.Errorf("the operator logs %q (%v)", line, err)
		}
	}
	if !bytes.Contains([]byte(strings.Join(lines, "\n")), []byte(`"msg":"Starting operator"`)) {
		t.Errorf("the operator has logged %q", lines)
	}
}

// awaitMetrics waits until a process tells all of these of a namespace's schema.
func (p *process) awaitMetrics(t *testing.T, token, namespace string, lines ...string) {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		_, text, err := scrape(ctx, p.address, token)
		if err != nil {
			return false, fmt.Sprintf("%v; it has logged %q", err, p.log.lines())
		}
		for _, line := range lines {
			if !strings.Contains(text, strings.ReplaceAll(line, "OF", `name="open-webui",namespace="`+namespace+`"`)) {
				return false, "there is no " + line
			}
		}
		return true, ""
	})
}

// TestRestartTellsTheSame: a process that has seen nothing happen tells the same of
// a schema as the one before, from the status and the pods alone; and the whole log
// of both is JSON, that of the libraries included.
func TestRestartTellsTheSame(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	token, _ := bindMetrics(t, namespace)
	bindOperator(t, namespace, namespace)
	awaitAuthorized(t, namespace, server.As(t, operator(namespace)))
	program, kubeconfig := buildProgram(t), operatorKubeconfig(t, namespace)
	first := startProcess(t, program, kubeconfig, namespace)
	schema, pod := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, pod)
	migrate(t, schema, "1", born)
	awaitOpen(t, pod)
	waiting := labeledPod(namespace, "ghcr.io/open-webui/open-webui:main") // nobody knows what it needs
	create(t, waiting)
	status := await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return isReady(s) && *s.WaitingPods == 1 })
	same := []string{
		`schemagate_databaseschema_applied_revision{OF} 73`, `schemagate_databaseschema_target_revision{OF} 73`,
		`schemagate_databaseschema_waiting_pods{OF} 1`, `schemagate_databaseschema_pending_revisions{OF} 0`,
		`schemagate_databaseschema_condition{OF,reason="UpToDate",status="True",type="Ready"} 1`,
		gauge("oldest_waiting_pod_timestamp_seconds", waiting.CreationTimestamp.Unix()),
		gauge("verified_timestamp_seconds", status.VerifiedTime.Unix()),
		gauge("last_success_timestamp_seconds", status.VerifiedTime.Unix()),
	}
	first.awaitMetrics(t, token, namespace, append(same, "schemagate_gate_opened_total 1", `schemagate_migration_duration_seconds_count{result="Succeeded"} 1`)...)
	first.stop(t)
	second := startProcess(t, program, kubeconfig, namespace)
	second.awaitMetrics(t, token, namespace, append(same, "schemagate_gate_opened_total 0", `schemagate_migration_failures_total{class="Failed"} 0`)...)
	second.stop(t)
}

// gauge is the line of a time of a schema.
func gauge(name string, value int64) string {
	return fmt.Sprintf("schemagate_databaseschema_%s{OF} %v", name, float64(value))
}
