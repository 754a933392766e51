package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/cli"
	"github.com/schemagate/schemagate/hack/cluster/internal/image"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/node"
	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

// The instances of this test. They have names of their own, so that they do
// not disturb anyone's, and always the same ones in the same place, so that a
// test that was killed is cleaned up by the next.
const (
	firstInstance  = "self-test"
	secondInstance = "self-test-2"
	probeImage     = "schemagate.local/probe:1"
)

// TestMain lets the test binary be what the program is: also the first process
// of a node.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == cli.NodeVerb {
		main()
		return
	}
	os.Exit(m.Run())
}

// settings of the machine that a node must not change.
var settings = []string{
	"/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
}

// TestCluster takes a node through its life. The steps depend on each other.
func TestCluster(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a node needs root; run this test as root")
	}
	for _, variable := range []string{"CLUSTER", "CLUSTER_NAME"} {
		t.Setenv(variable, "")
	}
	before := machine(t)
	first, second := newSubject(t, firstInstance), newSubject(t, secondInstance)
	archive := buildProbe(t)

	first.run("up")
	first.run("load", archive)
	t.Run("a restricted pod reaches the API, a service and the machine", func(t *testing.T) { first.with(t).checkPods() })
	t.Run("nobody gets in without a certificate", func(t *testing.T) { first.with(t).checkClosedDoors() })
	t.Run("a second start changes nothing", func(t *testing.T) { first.with(t).checkIdempotence() })
	t.Run("a killed component is started again", func(t *testing.T) { first.with(t).checkRepair() })
	t.Run("a killed node is started again with its pods", func(t *testing.T) { first.with(t).checkRestart() })
	t.Run("a second node runs beside the first", func(t *testing.T) {
		other := second.with(t)
		other.run("up")
		other.run("load", archive)
		other.checkPods()
		other.checkDown()
		first.with(t).run("status")
	})
	t.Run("a stopped node leaves nothing", func(t *testing.T) { first.with(t).checkDown() })
	if diff := cmp.Diff(before, machine(t)); diff != "" {
		t.Errorf("the machine is not as before (-before +after):\n%s", diff)
	}
}

// subject is an instance under test.
type subject struct {
	t    *testing.T
	name string
}

func newSubject(t *testing.T, name string) subject {
	t.Helper()
	s := subject{t: t, name: name}
	s.run("down") // what a killed test may have left
	t.Cleanup(func() { s.run("down") })
	return s
}

func (s subject) with(t *testing.T) subject {
	t.Helper()
	return subject{t: t, name: s.name}
}

// run executes a verb of the program and returns what it answered.
func (s subject) run(verb string, args ...string) string {
	s.t.Helper()
	output, err := s.try(verb, args...)
	if err != nil {
		s.t.Fatalf("%s of instance %s: %v", verb, s.name, err)
	}
	return output
}

func (s subject) try(verb string, args ...string) (string, error) {
	s.t.Helper()
	started := time.Now()
	var answer bytes.Buffer
	args = append([]string{verb, "--name", s.name}, args...)
	err := cli.Run(context.WithoutCancel(s.t.Context()), args, &answer, s.t.Output())
	s.t.Logf("%s of instance %s took %s", verb, s.name, time.Since(started).Round(time.Millisecond))
	return strings.TrimSpace(answer.String()), err
}

func (s subject) stateDir() string {
	s.t.Helper()
	root, err := instance.DefaultStateRoot()
	if err != nil {
		s.t.Fatal(err)
	}
	return filepath.Join(root, s.name)
}

func (s subject) status() node.Status {
	s.t.Helper()
	answer, err := s.try("status", "--output", "json")
	var status node.Status
	if decoding := json.Unmarshal([]byte(answer), &status); decoding != nil {
		s.t.Fatalf("status of instance %s: %v, %v", s.name, err, decoding)
	}
	return status
}

// kubectl runs kubectl with the kubeconfig, the administrator's by default.
func (s subject) kubectl(input string, args ...string) string {
	s.t.Helper()
	output, err := s.tryKubectl(s.run("kubeconfig"), input, args...)
	if err != nil {
		s.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

func (s subject) tryKubectl(kubeconfig, input string, args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.status().Binaries, "kubectl"), args...)
	cmd.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + s.t.TempDir()}
	cmd.Stdin = strings.NewReader(input)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// podManifest is a pod that the strictest pod security standard lets pass.
const podManifest = `
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: probe, labels: {app: NAME}}
spec:
  restartPolicy: RESTART
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: probe
    image: IMAGE
    args: [ARGS]
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    resources: {limits: {cpu: 500m, memory: 64Mi, ephemeral-storage: 16Mi}}
`

const namespaceManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: probe, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: probe}
spec:
  selector: {app: server}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: probe}
`

func podYAML(name, restart string, args ...string) string {
	return strings.NewReplacer("NAME", name, "RESTART", restart, "IMAGE", probeImage, "ARGS", strings.Join(args, ", ")).Replace(podManifest)
}

// checkPods proves the whole path: an image of our own runs under the
// restricted standard, resolves names, and reaches the API server, another pod
// by its service and a server on the machine. Its output comes back.
func (s subject) checkPods() {
	s.t.Helper()
	machineURL := s.serveOnMachine()
	s.kubectl(namespaceManifest, "apply", "-f", "-")
	s.kubectl(podYAML("server", "Always", "serve"), "apply", "-f", "-")
	s.kubectl("", "wait", "-n", "probe", "pod/server", "--for=condition=Ready", "--timeout=60s")
	s.kubectl(podYAML("client", "Never", "http://server.probe.svc", "http://server", machineURL), "apply", "-f", "-")
	s.kubectl("", "wait", "-n", "probe", "pod/client", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
	got := s.kubectl("", "logs", "-n", "probe", "client")
	want := "reached the API server by name\n" +
		"http://server.probe.svc says hello from server\n" +
		"http://server says hello from server\n" +
		machineURL + " says hello from the machine\n"
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("unexpected output of the pod (-want +got):\n%s", diff)
	}
}

// serveOnMachine stands for a database on the machine.
func (s subject) serveOnMachine() string {
	s.t.Helper()
	listener, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", net.JoinHostPort(s.status().HostAddress, "0"))
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello from the machine")
	})}
	s.t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String()
}

func (s subject) checkClosedDoors() {
	s.t.Helper()
	node := s.status().NodeAddress
	for _, url := range []string{"https://" + node + ":6443/version", "https://" + node + ":6443/readyz", "https://" + node + ":10250/pods"} {
		if code, err := s.knock("ca", url); err != nil || code != http.StatusUnauthorized {
			s.t.Errorf("%s answers %d, %v to nobody, want %d", url, code, err, http.StatusUnauthorized)
		}
	}
	if code, err := s.knock("etcd-ca", "https://"+node+":2379/health"); err == nil {
		s.t.Errorf("etcd answers %d to nobody, want a refused connection", code)
	}
	kubelet := filepath.Join(s.stateDir(), "config", "kubelet.kubeconfig")
	for _, args := range [][]string{
		{"get", "secrets", "-A"},
		{"label", "node", "schemagate-" + s.name, "node-restriction.kubernetes.io/a=b"},
	} {
		output, err := s.tryKubectl(kubelet, "", args...)
		if err == nil || !strings.Contains(output, "(Forbidden)") && !strings.Contains(output, "is forbidden") {
			s.t.Errorf("the kubelet may %v: %v\n%s", args, err, output)
		}
	}
}

// knock reads the URL without a certificate of its own.
func (s subject) knock(authority, url string) (int, error) {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.stateDir(), "pki", authority+".crt"))
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		s.t.Fatalf("%s is no certificate", authority)
	}
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}},
		Timeout:   10 * time.Second,
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func (s subject) checkIdempotence() {
	s.t.Helper()
	want := s.status()
	started := time.Now()
	s.run("up")
	if took := time.Since(started); took > 5*time.Second {
		s.t.Errorf("up of a running node took %s, want about a second", took)
	}
	if diff := cmp.Diff(want, s.status()); diff != "" {
		s.t.Errorf("the node changed (-before +after):\n%s", diff)
	}
}

func (s subject) pids() map[string]int {
	s.t.Helper()
	pids := make(map[string]int)
	for _, component := range s.status().Components {
		if component.Problem != "" {
			s.t.Errorf("%s: %s", component.Name, component.Problem)
		}
		pids[component.Name] = component.PID
	}
	return pids
}

func (s subject) checkRepair() {
	s.t.Helper()
	before := s.pids()
	victims := []string{"etcd", "kubelet", "containerd", "coredns"}
	for _, name := range victims {
		s.kill(before[name])
	}
	if status := s.status(); status.Healthy {
		s.t.Error("status calls a node healthy whose components were killed")
	}
	s.run("up")
	after := s.pids()
	for name, pid := range before {
		if killed := slices.Contains(victims, name); killed == (after[name] == pid) {
			s.t.Errorf("%s: process %d before and %d after, killed %t", name, pid, after[name], killed)
		}
	}
	s.kubectl("", "wait", "-n", "probe", "pod/server", "--for=condition=Ready", "--timeout=60s")
}

func (s subject) checkRestart() {
	s.t.Helper()
	s.kill(s.status().PID)
	if status := s.status(); status.Running {
		s.t.Error("status calls a killed node running")
	}
	s.run("up")
	s.kubectl("", "delete", "-n", "probe", "pod/client")
	s.checkPods()
}

func (s subject) kill(pid int) {
	s.t.Helper()
	id, err := process.Identify(pid)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := process.AwaitExit(ctx, id); err != nil {
		s.t.Fatal(err)
	}
}

// checkDown looks at each process the node had: pods, shims and components.
func (s subject) checkDown() {
	s.t.Helper()
	status := s.status()
	first, err := process.Identify(status.PID)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := process.Descendants(first)
	if err != nil {
		s.t.Fatal(err)
	}
	// Eight components, and a shim, the pause program and the server of one pod.
	if len(all) < 11 {
		s.t.Errorf("the node has %d processes, want at least 11", len(all))
	}
	s.checkGroups(all)
	s.run("down")
	for _, id := range append(all, first) {
		if id.Alive() {
			s.t.Errorf("process %s still runs", id)
		}
	}
	// Its interface and its route are gone when its address is.
	listener, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", net.JoinHostPort(status.HostAddress, "0"))
	if err == nil {
		_ = listener.Close()
		s.t.Errorf("the machine still has the address %s", status.HostAddress)
	}
	entries, err := os.ReadDir(s.stateDir())
	if err != nil || len(entries) != 1 || entries[0].Name() != "logs" {
		s.t.Errorf("the state directory holds %v (%v), want the logs only", entries, err)
	}
	if _, err := s.try("status"); err == nil {
		s.t.Error("status of a removed instance returned no error")
	}
	s.run("down") // of nothing
}

// checkGroups finds pods outside the group that down removes, where they would
// leave their own.
func (s subject) checkGroups(processes []process.Identity) {
	s.t.Helper()
	var pods []string
	for _, id := range processes {
		dir := fmt.Sprintf("/proc/%d", id.PID)
		command, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			s.t.Fatal(err)
		}
		name := strings.TrimSpace(string(command))
		if name != "pause" && name != "probe" {
			continue
		}
		pods = append(pods, name)
		groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(groups)) {
			if !strings.Contains(line, ":/schemagate/"+s.name+"/") {
				s.t.Errorf("%s is in %s", id, line)
			}
		}
	}
	slices.Sort(pods)
	if diff := cmp.Diff([]string{"pause", "probe"}, pods); diff != "" {
		s.t.Errorf("unexpected processes of pods (-want +got):\n%s", diff)
	}
}

// machine is what these instances may touch of the machine and must give back.
// Others may start instances of their own meanwhile.
func machine(t *testing.T) map[string]string {
	t.Helper()
	facts := make(map[string]string)
	for _, path := range settings {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		facts[path] = strings.TrimSpace(string(content))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, firstInstance) {
			facts["mount "+line] = "mounted"
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/schemagate/self-test*", "/sys/fs/cgroup/*/schemagate/self-test*", "/run/schemagate/self-test*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		facts[pattern] = fmt.Sprint(found)
	}
	return facts
}

// buildProbe makes the image that the pods run.
func buildProbe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program, archive := filepath.Join(dir, "probe"), filepath.Join(dir, "probe.tar")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the probe: %v\n%s", err, output)
	}
	probe := image.Single{Reference: probeImage, Program: program, User: "65532:65532"}
	if err := probe.WriteArchive(archive); err != nil {
		t.Fatal(err)
	}
	return archive
}
