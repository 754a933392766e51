package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/interceptor"
)

// process is an operator that runs as a process of this machine, with the
// account, the permissions and the flags of the real one, behind an interceptor.
type process struct {
	t           *testing.T
	name        string
	program     string
	kubeconfig  string
	log         string
	clock       string // the file that its clock reads
	interceptor *interceptor.Interceptor

	mu      sync.Mutex
	command *exec.Cmd
	ended   chan struct{}
}

// newProcess prepares an operator; start starts it.
func newProcess(t *testing.T, name, program string) *process {
	t.Helper()
	p := &process{t: t, name: name, program: program, interceptor: interceptor.Start(t, restConfig)}
	directory := t.TempDir()
	p.log, p.kubeconfig, p.clock = filepath.Join(directory, "log"), filepath.Join(directory, "kubeconfig"), filepath.Join(directory, "clock")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "schemagate-system", Name: "schemagate"}}
	seconds := int64(7200)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	if err := admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: p.interceptor.URL, CertificateAuthorityData: p.interceptor.CA}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	if err := clientcmd.WriteToFile(*config, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			if log, err := os.ReadFile(p.log); err == nil {
				t.Logf("operator %s:\n%s", name, tail(string(log), 40))
			}
		}
	})
	return p
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// start starts the process unless it runs.
func (p *process) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != nil {
		select {
		case <-p.ended:
		default:
			return
		}
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Error(err)
		return
	}
	command := exec.CommandContext(context.WithoutCancel(p.t.Context()), p.program,
		"--migration-image="+image, "--leader-election-namespace=schemagate-system",
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	command.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig, "CLOCK_OFFSET_FILE="+p.clock)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		p.t.Error(err)
		return
	}
	p.command, p.ended = command, make(chan struct{})
	go func(ended chan struct{}) {
		_ = command.Wait()
		_ = log.Close()
		close(ended)
	}(p.ended)
}

// signal sends a signal to the process, if it runs.
func (p *process) signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return
	}
	select {
	case <-p.ended:
	default:
		_ = p.command.Process.Signal(signal)
	}
}

// kill ends the process at once, and waits for its end.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// jump sets by how much the time of day of the process differs from the real one.
func (p *process) jump(by time.Duration) {
	next := p.clock + ".next"
	err := os.WriteFile(next, []byte(by.String()), 0o600)
	if err = errors.Join(err, os.Rename(next, p.clock)); err != nil {
		p.t.Error(err)
	}
}

// buildOperator compiles the operator with a clock that can jump.
func buildOperator(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "schemagate")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./test/e2e/operator")
	command.Dir = apiserver.RepositoryRoot()
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

// searchLogs fails the test if a password is in what the operators wrote.
func searchLogs(t *testing.T, password string, operators ...*process) {
	t.Helper()
	for _, p := range operators {
		content, err := os.ReadFile(p.log)
		if err != nil || len(content) == 0 || strings.Contains(string(content), password) {
			t.Errorf("operator %s: %d bytes of log (%v), with the password: %t", p.name, len(content), err, strings.Contains(string(content), password))
		}
	}
}

// component returns a process of the node by the name of its component.
func component(t *testing.T, name string) int {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "run", ".", "status", "--output", "json")
	command.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "cluster")
	output, err := command.Output()
	if err != nil && len(output) == 0 {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(output), fmt.Sprintf("%q: %q", "name", name))
	_, rest, ok := strings.Cut(rest, `"pid": `)
	end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
	if !found || !ok || end < 1 {
		t.Fatalf("the node does not tell of %s: %s", name, output)
	}
	pid, err := strconv.Atoi(rest[:end])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// mendNode starts what is missing of the node.
func mendNode(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "run", ".", "up")
	command.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "cluster")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}
