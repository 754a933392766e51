package integration_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/manager"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/collector"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// output collects what operators log.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Split(strings.TrimSpace(o.text.String()), "\n")
}

// startLogging runs an operator as its manifests do, with its log in an output.
func startLogging(t *testing.T, namespace string, options manager.Options) *output {
	t.Helper()
	bindOperator(t, namespace, namespace)
	bindClusterID(t, namespace, []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "schemagate"}})
	awaitAuthorized(t, namespace, server.As(t, operator(namespace)))
	out := &output{}
	options.LogFormat, options.LogLevel = "json", "debug"
	logger, err := manager.NewLogger(options, out)
	if err != nil {
		t.Fatal(err)
	}
	startManager(t, server.Config, namespace, options, logger)
	return out
}

// metricNames finds the names of metrics in the alerts and in the dashboard that
// the operator tells itself. The tests in test/prometheus parse the queries.
func metricNames(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	for _, file := range []string{"rules.yaml", "dashboard.json"} {
		content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "components", "prometheus", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(schemagate|leader_election|controller_runtime|workqueue|rest_client|process)_[a-z_]+`).FindAllString(string(content), -1) {
			names[name] = true
		}
	}
	if len(names) < 20 {
		t.Fatalf("the alerts and the dashboard ask for %d metrics only", len(names))
	}
	return slices.Sorted(maps.Keys(names))
}

// bindMetrics gives the operator what it asks of the API server about who scrapes,
// and returns the tokens of an account that may scrape and of one that may not.
func bindMetrics(t *testing.T, namespace string) (may, mayNot string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "rbac", "metrics.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]string{"schemagate-metrics-auth": "schemagate", "schemagate-metrics-reader": "prometheus"}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			t.Fatal(err)
		}
		account, ok := accounts[role.Name]
		if role.Kind != "ClusterRole" || !ok {
			continue
		}
		name := namespace + "-" + role.Name
		create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: role.Rules})
		create(t, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
		})
	}
	token := func(name string) string {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		create(t, account)
		request := &authenticationv1.TokenRequest{}
		if err := server.Client.SubResource("token").Create(t.Context(), account, request); err != nil {
			t.Fatal(err)
		}
		return request.Status.Token
	}
	return token("prometheus"), token("somebody")
}

// freeAddress returns one of this machine that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// scrape reads metrics as Prometheus does.
func scrape(ctx context.Context, address, token string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is made by the operator at start
	}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// TestMetricsOfARollout: everything that the alerts and the dashboard ask for is
// told by a real operator, to whoever may read it.
func TestMetricsOfARollout(t *testing.T) {
	t.Parallel()
	namespace, address := server.NewNamespace(t), freeAddress(t)
	may, mayNot := bindMetrics(t, namespace)
	options := operatorOptions(namespace)
	options.LeaderElect, options.LeaderElectionNamespace, options.MetricsBindAddress = true, namespace, address
	startLogging(t, namespace, options)
	schema, pod := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, pod)
	seen := ""
	await := func(lines ...string) {
		t.Helper()
		apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
			status, text, err := scrape(ctx, address, may)
			if err != nil || status != http.StatusOK {
				return false, fmt.Sprintf("%d %v", status, err)
			}
			for _, line := range lines {
				if !strings.Contains(text, strings.ReplaceAll(line, "OF", `name="open-webui",namespace="`+namespace+`"`)) {
					return false, "there is no " + line
				}
			}
			seen += text
			return true, ""
		})
	}
	job := startedJob(t, schema, "1")
	await(`schemagate_databaseschema_waiting_pods{OF} 1`, `schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds{OF} 1.`,
		`schemagate_databaseschema_migration_start_timestamp_seconds{OF} 1.`, `schemagate_admission_policies_missing 0`,
		`schemagate_databaseschema_condition{OF,reason="Inspecting",status="True",type="Reconciling"} 1`)
	endPod(t, runPod(t, job), born)
	awaitOpen(t, pod)
	await(`schemagate_databaseschema_waiting_pods{OF} 0`, `schemagate_databaseschema_applied_revision{OF} 73`,
		`schemagate_databaseschema_condition{OF,reason="UpToDate",status="True",type="Ready"} 1`,
		`schemagate_databaseschema_last_success_timestamp_seconds{OF} 1.`,
		`schemagate_databaseschema_info{app_version="0.11.0",birth="alembic",bundle="open-webui",`)
	for _, name := range metricNames(t) {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(seen) {
			t.Errorf("nobody tells %s, which an alert or the dashboard asks for", name)
		}
	}
	for token, want := range map[string]int{"": http.StatusUnauthorized, mayNot: http.StatusForbidden} {
		if status, _, err := scrape(t.Context(), address, token); err != nil || status != want {
			t.Errorf("whoever may not read metrics is told %d (%v), want %d", status, err, want)
		}
	}
	if err := server.Client.Delete(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		_, text, err := scrape(ctx, address, may)
		return err == nil && !strings.Contains(text, `name="open-webui",namespace="`+namespace+`"`), fmt.Sprintf("a schema that is gone is told of (%v)", err)
	})
}

// logKeys are those of docs/guides/monitoring.md, and those of what the libraries
// log at start and with --log-level=debug.
var logKeys = []string{
	"time", "level", "msg", "logger", "err", "controller", "namespace", "databaseSchema", "job", "pod", "revision", "fromRevision", "reason",
	"durationSeconds", "reconcileID",
	// Of controller-runtime.
	"source", "worker count", "object", "result", "RequeueAfter", "priority", "name", "addr", "kind", "apiVersion", "type", "action", "note",
}

// TestLogsOfARollout: what an operator logs of a rollout with a drain is JSON, with
// keys that are known.
func TestLogsOfARollout(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	out := startLogging(t, namespace, operatorOptions(namespace))
	schema, old := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, old)
	migrate(t, schema, "1", born)
	awaitOpen(t, old)
	next := labeledPod(namespace, "ghcr.io/open-webui/open-webui:v0.11.1")
	create(t, next)
	pullImage(t, schema)
	migrate(t, schema, "2", result.Result{Outcome: result.Done, From: 73, To: 76, Target: 76, Birth: "alembic", Applied: 3})
	awaitOpen(t, next)
	await(t, schema, isReady)

	messages := map[string]map[string]any{}
	for _, line := range out.lines() {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no JSON: %s", line)
			continue
		}
		for key := range entry {
			if !slices.Contains(logKeys, key) {
				t.Errorf("nobody knows the key %q of %s", key, line)
			}
		}
		for _, key := range []string{"time", "level", "msg"} {
			if entry[key] == nil {
				t.Errorf("there is no %q in %s", key, line)
			}
		}
		if level := entry["level"]; level != "DEBUG" && level != "INFO" {
			t.Errorf("the level is %v in %s", level, line)
		}
		messages[fmt.Sprint(entry["msg"])] = entry
	}
	for message, keys := range map[string][]string{
		"Decided":       {"namespace", "databaseSchema", "revision", "reason"},
		"Created a Job": {"namespace", "databaseSchema", "job"},
		"Started a Job": {"namespace", "databaseSchema", "job"},
		"Deleted a pod that the migration would break": {"namespace", "databaseSchema", "pod"},
		"Recorded a migration":                         {"namespace", "databaseSchema", "job", "fromRevision", "revision", "reason", "durationSeconds"},
		"Opened a gate":                                {"namespace", "databaseSchema", "pod", "durationSeconds"},
	} {
		for _, key := range keys {
			if messages[message] == nil || messages[message][key] == nil {
				t.Errorf("%q was not logged with %q: %v", message, key, messages[message])
			}
		}
	}
}

// TestTraceOfARollout: an operator and the real program of its Job, which knows
// nothing but the environment that the Job gives it, tell one trace; and neither
// tells a password. It sets the environment, so it runs alone.
func TestTraceOfARollout(t *testing.T) {
	c := collector.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-5c1d")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	namespace := startOperator(t)
	schema, pod := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, pod)
	job := startedJob(t, schema, "1")
	databaseURL := postgres.Shared(t).NewDatabase(t)
	res := runProgram(t, job, databaseURL)
	if res.Outcome != result.Done || res.Applied == 0 {
		t.Fatalf("the migration ended with %+v", res)
	}
	endPod(t, runPod(t, job), res)
	awaitOpen(t, pod)

	var spans []collector.Span
	apiserver.Eventually(t, func(context.Context) (bool, string) {
		spans = c.Spans()
		return slices.ContainsFunc(spans, func(s collector.Span) bool { return s.Name == "rollout" }), fmt.Sprintf("%d spans", len(spans))
	})
	checkTrace(t, spans, res, job)
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{databaseURL, parsed.Host, parsed.Path, "canary-5c1d"}
	if password, ok := parsed.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for _, secret := range secrets {
		if c.Contains(secret) {
			t.Errorf("the traces tell %q", secret)
		}
	}
}

// checkTrace: one trace of a rollout, its looks and its Job, with the run of the
// Job below, and one span of each revision.
func checkTrace(t *testing.T, spans []collector.Span, res result.Result, job *batchv1.Job) {
	t.Helper()
	byName := map[string][]collector.Span{}
	for _, span := range spans {
		byName[span.Name] = append(byName[span.Name], span)
		if !bytes.Equal(span.GetTraceId(), spans[0].GetTraceId()) || span.Service != "schemagate" {
			t.Errorf("%s is of trace %x and service %q", span.Name, span.GetTraceId(), span.Service)
		}
	}
	for name, want := range map[string]int{"rollout": 1, "job": 1, "migrate": 1, "revision": res.Applied} {
		if len(byName[name]) != want {
			t.Fatalf("there are %d spans %q, want %d", len(byName[name]), name, want)
		}
	}
	if len(byName["reconcile"]) < 3 { // decided, prepared, recorded
		t.Errorf("there are %d looks", len(byName["reconcile"]))
	}
	for below, above := range map[string]string{"reconcile": "rollout", "job": "rollout", "migrate": "job", "revision": "migrate"} {
		for _, span := range byName[below] {
			if !bytes.Equal(span.GetParentSpanId(), byName[above][0].GetSpanId()) {
				t.Errorf("a span %q is not below %q", below, above)
			}
		}
	}
	revisions := map[int]bool{}
	for _, span := range byName["revision"] {
		revisions[span.Number("schemagate.revision")] = true
	}
	if len(revisions) != res.Applied || !revisions[res.To] {
		t.Errorf("%d revisions have spans, want the %d up to %d", len(revisions), res.Applied, res.To)
	}
	if rollout := byName["rollout"][0]; rollout.Attribute("k8s.job.name") != job.Name || rollout.Attribute("schemagate.result") != string(v1alpha1.AttemptSucceeded) {
		t.Errorf("the rollout says %v", rollout.GetAttributes())
	}
}

// runProgram runs the program as the kubelet would: with the arguments and with
// the environment of the Job's container, and with nothing else.
func runProgram(t *testing.T, job *batchv1.Job, databaseURL string) result.Result {
	t.Helper()
	program, message := buildProgram(t), filepath.Join(t.TempDir(), "termination-log")
	container := job.Spec.Template.Spec.Containers[0]
	var args []string
	for _, arg := range container.Args {
		if strings.HasPrefix(arg, "--result-file=") {
			arg = "--result-file=" + message
		}
		args = append(args, arg)
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Env = []string{}
	for _, variable := range container.Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			value = databaseURL // what the Secret holds
		}
		if strings.Contains(variable.Name, "HEADERS") {
			t.Errorf("the Job is told %s", variable.Name)
		}
		command.Env = append(command.Env, variable.Name+"="+value)
	}
	text, err := command.CombinedOutput()
	content, readErr := os.ReadFile(message)
	if err != nil || readErr != nil {
		t.Fatalf("the migration: %v, %v\n%s", err, readErr, text)
	}
	res, err := result.Decode(bytes.TrimSpace(content))
	if err != nil {
		t.Fatal(err)
	}
	return res
}
