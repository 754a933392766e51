package migrationjob_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	migratecmd "github.com/schemagate/schemagate/internal/cmd/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
)

var update = flag.Bool("update", false, "write testdata anew")

func key(name, key string) v1alpha1.KeySelector {
	return v1alpha1.KeySelector{Name: v1alpha1.ObjectName(name), Key: key}
}

func value(name, k string) v1alpha1.ValueSource {
	return v1alpha1.ValueSource{SecretKeyRef: key(name, k)}
}

// databases are the ways to say where a database is.
func databases() map[string]v1alpha1.Database {
	tls := v1alpha1.TLS{
		CAFrom:   v1alpha1.CertificateSource{ConfigMapKeyRef: key("authority", "ca.crt")},
		CertFrom: v1alpha1.CertificateSource{SecretKeyRef: key("client", "tls.crt")},
		KeyFrom:  value("client", "tls.key"),
	}
	return map[string]v1alpha1.Database{
		"url":             {URLFrom: value("db", "url")},
		"url-certificate": {URLFrom: value("db", "url"), Schema: "chat", TLS: v1alpha1.TLS{CAFrom: tls.CAFrom}},
		"host": {
			Host: "db.example.test", Port: 6432, Name: "webui", Schema: "chat", SSLMode: v1alpha1.SSLModeVerifyFull,
			UserFrom: value("db", "user"), PasswordFrom: value("db", "password"), TLS: tls,
		},
		"sqlite": {SQLite: v1alpha1.SQLite{ClaimName: "webui", Path: "data/webui.db", RunAsUser: new(int64(1000))}},
	}
}

func options(database v1alpha1.Database) migrationjob.Options {
	schema := &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: "open-webui", UID: "u1"},
		Spec: v1alpha1.DatabaseSchemaSpec{
			Database:   database,
			Migrations: v1alpha1.Migrations{Bundle: v1alpha1.BundleOpenWebUI},
			Execution:  v1alpha1.Execution{LockTimeoutSeconds: 5, StatementTimeoutSeconds: new(int32(0)), TTLSecondsAfterFinished: 86400},
		},
	}
	return migrationjob.Options{
		Schema: schema, Name: "open-webui-73-abc", Decision: "abc", Attempt: 2, Image: "schemagate:test", Cluster: "c1",
		Target: 73, Expect: new(18), RefuseFencing: true, RefuseDestructive: true,
	}
}

// TestJobs compares the Job for every kind of database with testdata. After a
// change that is meant: go test ./internal/migrationjob -run TestJobs -update.
func TestJobs(t *testing.T) {
	t.Parallel()
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := yaml.Marshal(migrationjob.New(options(database)))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the Job differs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJobRunsOnce reads the rules of New's comment off the Job.
func TestJobRunsOnce(t *testing.T) {
	t.Parallel()
	o := options(databases()["url"])
	job := migrationjob.New(o)
	if !*job.Spec.Suspend || *job.Spec.BackoffLimit != 0 || *job.Spec.Parallelism != 1 ||
		*job.Spec.PodReplacementPolicy != batchv1.Failed || job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("it may begin at once, or have a second pod: %+v", job.Spec)
	}
	codes := job.Spec.PodFailurePolicy.Rules[0].OnExitCodes.Values
	for _, outcome := range []result.Outcome{result.Usage, result.Transient, result.Permanent, result.Refused, result.Locked} {
		if !slices.ContainsFunc(codes, func(code int32) bool { return int(code) == outcome.ExitCode() }) {
			t.Errorf("no rule for the exit code of %s", outcome)
		}
	}
	owner := metav1.GetControllerOf(job)
	if owner == nil || owner.UID != o.Schema.UID || owner.Kind != "DatabaseSchema" || !*owner.BlockOwnerDeletion {
		t.Errorf("its owner is %+v", owner)
	}
	if job.Spec.ActiveDeadlineSeconds != nil {
		t.Error("it has a deadline that nobody has set")
	}
	o.Schema.Spec.Execution.ActiveDeadlineSeconds = 60
	if got := migrationjob.New(o).Spec.ActiveDeadlineSeconds; got == nil || *got != 60 {
		t.Errorf("its deadline is %v, want 60", got)
	}
}

// TestPodSecurity asks the library that the API server asks.
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	for name, database := range databases() {
		pod := migrationjob.New(options(database)).Spec.Template
		if detail := restricted(t, pod); detail != "" {
			t.Errorf("%s: %s", name, detail)
		}
		if *pod.Spec.AutomountServiceAccountToken || !*pod.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s: it has a token, or may write to its root", name)
		}
	}
	database := databases()["sqlite"]
	database.SQLite.RunAsUser = new(int64(0))
	root := migrationjob.New(options(database)).Spec.Template
	if restricted(t, root) == "" {
		t.Error("the library finds nothing wrong with root, so it finds nothing at all")
	}
}

// restricted returns what Pod Security "restricted" has against a pod.
func restricted(t *testing.T, pod corev1.PodTemplateSpec) string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	res := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if res.Allowed {
		return ""
	}
	return res.ForbiddenDetail()
}

// TestArgumentsAreUnderstood hands the arguments to the command itself.
func TestArgumentsAreUnderstood(t *testing.T) {
	t.Parallel()
	for name, database := range databases() {
		o := options(database)
		o.Schema.Spec.Policy = v1alpha1.Policy{Adopt: v1alpha1.AdoptNever, Drift: v1alpha1.DriftBlock, TakeOwnership: new(true)}
		o.Schema.Spec.Execution.StatementTimeoutSeconds = new(int32(30))
		o.AllowDowngrade, o.Fence = true, true
		o.Schema.Spec.Rollout.IgnoreSessions = []string{"a, b", "c"}
		args := migrationjob.New(o).Spec.Template.Spec.Containers[0].Args
		if args[0] != "migrate" {
			t.Fatalf("%s: the command is %s", name, args[0])
		}
		cmd := migratecmd.NewCmd()
		if err := cmd.ParseFlags(args[1:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for flag, want := range map[string]string{
			"to": "73", "expect": "18", "adopt": "never", "drift": "block", "take-ownership": "true", "allow-downgrade": "true",
			"refuse-fencing": "true", "refuse-destructive": "true", "lock-timeout": "5s", "statement-timeout": "30s",
			"owner-cluster": "c1", "owner-namespace": "chat", "owner-name": "open-webui", "owner-uid": "u1",
		} {
			if got := cmd.Flag(flag).Value.String(); got != want {
				t.Errorf("%s: --%s is %q, want %q", name, flag, got, want)
			}
		}
		if left := cmd.Flags().Args(); len(left) > 0 {
			t.Errorf("%s: arguments that are no flags: %q", name, left)
		}
	}
}

// TestArgumentsByDefault looks for what must not be there unasked.
func TestArgumentsByDefault(t *testing.T) {
	t.Parallel()
	o := options(databases()["url"])
	o.Expect, o.RefuseFencing, o.RefuseDestructive = nil, false, false
	line := strings.Join(migrationjob.New(o).Spec.Template.Spec.Containers[0].Args, " ")
	for _, flag := range []string{"--expect", "--refuse", "--allow-downgrade", "--take-ownership", "--adopt", "--statement-timeout"} {
		if strings.Contains(line, flag) {
			t.Errorf("%s is set: %s", flag, line)
		}
	}
}

// TestNoValueBecomesAnArgument: the kubelet replaces $(NAME) in arguments by the
// value of the variable.
func TestNoValueBecomesAnArgument(t *testing.T) {
	t.Parallel()
	database := databases()["host"]
	database.Name = "$(DATABASE_PASSWORD)"
	for _, argument := range migrationjob.New(options(database)).Spec.Template.Spec.Containers[0].Args {
		if strings.Contains(strings.ReplaceAll(argument, "$$(", ""), "$(") {
			t.Errorf("%s is expanded", argument)
		}
	}
}

// TestTemporaryDirectory: SQLite has a place for what does not fit into memory.
func TestTemporaryDirectory(t *testing.T) {
	t.Parallel()
	pod := migrationjob.New(options(databases()["sqlite"])).Spec.Template.Spec
	container := pod.Containers[0]
	i := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "SQLITE_TMPDIR" })
	if i < 0 {
		t.Fatal("the container names no directory")
	}
	j := slices.IndexFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == container.Env[i].Value })
	if j < 0 || container.VolumeMounts[j].ReadOnly {
		t.Fatalf("nothing that can be written is mounted at %s", container.Env[i].Value)
	}
	if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
		return v.Name == container.VolumeMounts[j].Name && v.EmptyDir != nil
	}) {
		t.Errorf("what is mounted at %s does not end with the pod", container.Env[i].Value)
	}
}

// TestJobSharesNothing changes all of a Job, and looks at the resource.
func TestJobSharesNothing(t *testing.T) {
	t.Parallel()
	o := options(databases()["host"])
	o.Schema.Spec.Execution.PodTemplate = template()
	before := o.Schema.DeepCopy()
	job := migrationjob.New(o)
	again := migrationjob.New(o)
	if diff := cmp.Diff(job, again); diff != "" {
		t.Errorf("the same options give another Job:\n%s", diff)
	}
	pod := &job.Spec.Template
	pod.Labels["team"], pod.Annotations["note"], pod.Spec.NodeSelector["disk"] = "x", "x", "x"
	pod.Spec.Tolerations[0].Key = "x"
	*pod.Spec.Tolerations[0].TolerationSeconds = 7
	pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil
	pod.Spec.Containers[0].Resources.Limits["cpu"] = pod.Spec.Containers[0].Resources.Limits["memory"]
	pod.Spec.ImagePullSecrets[0].Name = "x"
	if diff := cmp.Diff(before, o.Schema); diff != "" {
		t.Errorf("a change of the Job changes the resource:\n%s", diff)
	}
}

// TestNamesOnly: nothing but names of Secrets and their keys reaches the Job.
func TestNamesOnly(t *testing.T) {
	t.Parallel()
	for name, database := range databases() {
		job := migrationjob.New(options(database))
		for _, env := range job.Spec.Template.Spec.Containers[0].Env {
			if env.Name == "SQLITE_TMPDIR" {
				continue // It is a directory of the pod.
			}
			if env.Value != "" || env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
				t.Errorf("%s: %s is not a reference to a Secret", name, env.Name)
			}
		}
		text, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "envFrom") {
			t.Errorf("%s: the pod has a whole Secret in its environment", name)
		}
	}
}

// TestEnvironment: what is added comes after what the connection needs, and the
// kubelet puts no secret into it.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	o := options(databases()["url"])
	plain := migrationjob.New(o).Spec.Template.Spec.Containers[0].Env
	o.Environment = []corev1.EnvVar{{Name: "OTEL_SERVICE_NAME", Value: "$(DATABASE_URL)"}, {Name: "TRACEPARENT", Value: "00-1-2-01"}}
	want := append(slices.Clone(plain), corev1.EnvVar{Name: "OTEL_SERVICE_NAME", Value: "$$(DATABASE_URL)"}, o.Environment[1])
	for range 2 { // it changes nothing that it is given
		if diff := cmp.Diff(want, migrationjob.New(o).Spec.Template.Spec.Containers[0].Env); diff != "" {
			t.Errorf("the environment (-want +got):\n%s", diff)
		}
	}
}
