package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/manager"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// startOperator runs an operator for a namespace of its own until the test ends,
// as its own account, and returns the namespace.
func startOperator(t *testing.T) string {
	t.Helper()
	namespace := server.NewNamespace(t)
	startOperatorIn(t, namespace)
	return namespace
}

func startOperatorIn(t *testing.T, namespace string) {
	t.Helper()
	bindOperator(t, namespace, namespace)
	awaitAuthorized(t, namespace, server.As(t, operator(namespace)))
	startManager(t, server.Config, namespace, operatorOptions(namespace), logr.Discard())
}

// operatorOptions are for an operator that serves one namespace.
func operatorOptions(namespace string) manager.Options {
	return manager.Options{
		Namespaces: []string{namespace}, MetricsBindAddress: "0", HealthBindAddress: "0",
		MigrationImage: "schemagate:test", ClusterID: "test",
	}
}

// targeting is a schema with a target and a database of its own.
func targeting(namespace, name string) *v1alpha1.DatabaseSchema {
	schema := apiserver.NewSchema(namespace, name)
	schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: "73"}
	// Two schemas of one database would have to agree.
	schema.Spec.Database.URLFrom.SecretKeyRef.Name = v1alpha1.ObjectName(name)
	return schema
}

// await waits until the status of a schema is as wanted, and returns it.
func await(t *testing.T, schema *v1alpha1.DatabaseSchema, done func(v1alpha1.DatabaseSchemaStatus) bool) v1alpha1.DatabaseSchemaStatus {
	t.Helper()
	current := &v1alpha1.DatabaseSchema{}
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		if err := server.Client.Get(ctx, client.ObjectKeyFromObject(schema), current); err != nil {
			return false, err.Error()
		}
		return done(current.Status), fmt.Sprintf("%s: %+v", schema.Name, current.Status)
	})
	return current.Status
}

func isReady(s v1alpha1.DatabaseSchemaStatus) bool {
	return apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady)
}

// isStalled returns a condition on a status that is Stalled for a reason.
func isStalled(reason string) func(v1alpha1.DatabaseSchemaStatus) bool {
	return func(s v1alpha1.DatabaseSchemaStatus) bool {
		c := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionStalled)
		return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
	}
}

// isReason returns a condition on a status that is not Ready for a reason.
func isReason(reason string) func(v1alpha1.DatabaseSchemaStatus) bool {
	return func(s v1alpha1.DatabaseSchemaStatus) bool {
		c := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == reason
	}
}

// annotate sets an annotation of an object.
func annotate(t *testing.T, object client.Object, key, value string) {
	t.Helper()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, key, value))
	if err := server.Client.Patch(t.Context(), object, patch); err != nil {
		t.Fatal(err)
	}
}

var born = result.Result{Outcome: result.Done, To: 73, Target: 73, Birth: "alembic", ID: "f0bd01a18a3d", AppVersion: "0.11.0", Applied: 55}

// TestPodStartsWhenItsSchemaIsThere follows one pod through the gate.
func TestPodStartsWhenItsSchemaIsThere(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	pod := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0")
	create(t, pod)
	if !schedgate.Has(pod) {
		t.Fatal("the pod has no gate")
	}
	job := startedJob(t, schema, "1")
	waiting := await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return s.WaitingPods != nil && *s.WaitingPods == 1 })
	if waiting.Serves != (v1alpha1.Serves{}) || waiting.Attempt.Job != job.Name {
		t.Errorf("before the result the status is %+v", waiting)
	}
	own := runPod(t, job)
	endPod(t, own, born)

	// The Job does not know yet that it is over.
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := server.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && !schedgate.Has(pod), fmt.Sprintf("the gate is closed (%v)", err)
	})
	status := await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return isReady(s) && *s.WaitingPods == 0 })
	if status.AppliedRevision.Version != 73 || status.Serves.To != 73 || len(status.History) != 1 {
		t.Errorf("the status is %+v", status)
	}
	endJob(t, job, own)
	// A pod of a release that is served is not held at all.
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		next := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0")
		err := server.Client.Create(ctx, next, client.DryRunAll)
		return err == nil && !schedgate.Has(next), fmt.Sprintf("it is held (%v)", err)
	})
}

// TestPermanentFailure waits for somebody to mend what is broken.
func TestPermanentFailure(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	failed := result.Result{Outcome: result.Permanent, Reason: result.ReasonSQLError, From: 62, To: 62, Target: 73, Failure: &result.Failure{Revision: 63}}
	migrate(t, schema, "1", failed)
	await(t, schema, isStalled("SQLError"))
	if jobs := countJobs(t, namespace); jobs != 1 {
		t.Errorf("there are %d Jobs", jobs)
	}
	annotate(t, schema, v1alpha1.AnnotationRetry, "once")
	migrate(t, schema, "2", born)
	status := await(t, schema, isReady)
	if status.LastHandledRetry != "once" {
		t.Errorf("the retry that was handled is %q", status.LastHandledRetry)
	}
	annotate(t, schema, v1alpha1.AnnotationVerify, "look")
	look := result.Result{Outcome: result.Done, From: 73, To: 73, Target: 73, Birth: "alembic", ID: born.ID, AppVersion: born.AppVersion}
	migrate(t, schema, "3", look)
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return isReady(s) && s.LastHandledVerify == "look" })
	if jobs := countJobs(t, namespace); jobs != 3 {
		t.Errorf("there are %d Jobs, want one for each thing that was asked for", jobs)
	}
}

// TestTransientFailure heals by itself.
func TestTransientFailure(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	migrate(t, schema, "1", result.Result{Outcome: result.Transient, Reason: result.ReasonUnreachable, Target: 73, Failure: &result.Failure{}})
	status := await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return s.Attempt.State == v1alpha1.AttemptRetrying })
	if apimeta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled) || status.Attempt.RetryTime == nil {
		t.Errorf("the status is %+v", status)
	}
	migrate(t, schema, "2", born)
	await(t, schema, isReady)
}

// TestSuspend: nothing begins while it is set.
func TestSuspend(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	schema.Spec.Suspend = new(true)
	create(t, schema)
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool {
		c := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
		return c != nil && strings.Contains(c.Reason, "Suspended")
	})
	if jobs := countJobs(t, namespace); jobs != 0 {
		t.Errorf("there are %d Jobs", jobs)
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"suspend": false}}`))
	if err := server.Client.Patch(t.Context(), schema, patch); err != nil {
		t.Fatal(err)
	}
	migrate(t, schema, "1", born)
	await(t, schema, isReady)
}

// TestGateOpenedWhileHeld: the break-glass also lets those in that wait because nobody
// knows yet where the database is; closed again it holds.
func TestGateOpenedWhileHeld(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	pod := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0")
	create(t, pod)
	startedJob(t, schema, "1")
	set := func(gate v1alpha1.GateMode) {
		t.Helper()
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec": {"gate": %q}}`, gate))
		if err := server.Client.Patch(t.Context(), schema, patch); err != nil {
			t.Fatal(err)
		}
	}
	set(v1alpha1.GateDisabled)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := server.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && !schedgate.Has(pod), fmt.Sprintf("the gate is closed (%v)", err)
	})
	set(v1alpha1.GateEnforced)
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool {
		gate := apimeta.FindStatusCondition(s.Conditions, v1alpha1.ConditionGateOpen)
		return gate != nil && gate.Status == metav1.ConditionFalse && gate.ObservedGeneration == schema.Generation
	})
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		next := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0")
		err := server.Client.Create(ctx, next, client.DryRunAll)
		return err == nil && schedgate.Has(next), fmt.Sprintf("another pod is let in (%v)", err)
	})
}

// TestJobRejected: what the API server does not take is told, and tried again with
// another spec.
func TestJobRejected(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	schema.Spec.Execution.PodTemplate.Labels = map[string]v1alpha1.LabelValue{"team": "chat", "not a label": "x"}
	create(t, schema)
	status := await(t, schema, isReason(v1alpha1.ReasonJobRejected))
	message := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Message
	if !strings.Contains(message, "(Invalid)") || strings.Contains(message, "not a label") {
		t.Errorf("the message is %q", message)
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"execution": {"podTemplate": {"labels": {"not a label": null}}}}}`))
	if err := server.Client.Patch(t.Context(), schema, patch); err != nil {
		t.Fatal(err)
	}
	migrate(t, schema, "1", born)
	await(t, schema, isReady)
}

// TestSharedDatabase: of two schemas of one database the younger one does nothing. It
// names the older one only to those who can read it, too.
func TestSharedDatabase(t *testing.T) {
	t.Parallel()
	home, other := server.NewNamespace(t), server.NewNamespace(t)
	bindOperator(t, home, home)
	bindNamespace(t, metav1.ObjectMeta{Namespace: other, Name: home + "-manager"},
		[]rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: naming.ServiceAccount}})
	awaitAuthorized(t, home, server.As(t, operator(home)))
	awaitAuthorized(t, other, server.As(t, operator(home)))
	options := operatorOptions(home)
	options.Namespaces = []string{home, other}
	startManager(t, server.Config, home, options, logr.Discard())

	newSchema := func(namespace, name string) *v1alpha1.DatabaseSchema {
		schema := targeting(namespace, name)
		schema.Spec.Database = v1alpha1.Database{
			Host: home + ".db.example", Name: "webui",
			UserFrom:     v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: v1alpha1.ObjectName(name), Key: "user"}},
			PasswordFrom: v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: v1alpha1.ObjectName(name), Key: "password"}},
		}
		return schema
	}
	elder := newSchema(home, "elder")
	create(t, elder)
	migrate(t, elder, "1", born)
	await(t, elder, isReady)
	// Which of two is older is told by seconds.
	apiserver.Eventually(t, func(context.Context) (bool, string) {
		return time.Since(elder.CreationTimestamp.Time) > 2*time.Second, "the first one is not older yet"
	})
	for _, tc := range []struct{ namespace, says string }{{home, ", elder, "}, {other, "one of another namespace"}} {
		younger := newSchema(tc.namespace, "younger")
		create(t, younger)
		status := await(t, younger, isStalled(v1alpha1.ReasonDatabaseShared))
		message := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled).Message
		if !strings.Contains(message, tc.says) || strings.Contains(message, home) {
			t.Errorf("in namespace %s it says %q", tc.namespace, message)
		}
		if status.Serves != (v1alpha1.Serves{}) || status.Attempt.Number != 0 {
			t.Errorf("the status is %+v", status)
		}
	}
}

// TestRecreation: a schema that is deleted and made again looks at the database
// again, and trusts nothing of before.
func TestRecreation(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	migrate(t, schema, "1", born)
	await(t, schema, isReady)
	if err := server.Client.Delete(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	again := targeting(namespace, schemaName)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := server.Client.Create(ctx, again)
		return err == nil, fmt.Sprint(err)
	})
	held := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0")
	create(t, held)
	if !schedgate.Has(held) {
		t.Error("a pod passes before the database has been looked at")
	}
	// Nobody collects garbage here: the Job of before is still there.
	var job *batchv1.Job
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		jobs := &batchv1.JobList{}
		err := server.Client.List(ctx, jobs, client.InNamespace(namespace))
		i := slices.IndexFunc(jobs.Items, func(job batchv1.Job) bool { return metav1.IsControlledBy(&job, again) && !*job.Spec.Suspend })
		if i >= 0 {
			job = &jobs.Items[i]
		}
		return i >= 0, fmt.Sprintf("%d Jobs, %v", len(jobs.Items), err)
	})
	endPod(t, runPod(t, job), result.Result{Outcome: result.Done, From: 73, To: 73, Target: 73, Birth: "alembic", ID: born.ID, AppVersion: born.AppVersion})
	await(t, again, isReady)
}

// TestJobsAreAccepted: the API server takes the Job of every kind of database,
// and its pod in a namespace that is restricted.
func TestJobsAreAccepted(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	restricted := &corev1.Namespace{}
	if err := server.Client.Get(t.Context(), client.ObjectKey{Name: namespace}, restricted); err != nil {
		t.Fatal(err)
	}
	restricted.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	if err := server.Client.Update(t.Context(), restricted); err != nil {
		t.Fatal(err)
	}
	secret := func(key string) v1alpha1.ValueSource {
		return v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: "db", Key: key}}
	}
	authority := v1alpha1.CertificateSource{ConfigMapKeyRef: v1alpha1.KeySelector{Name: "authority", Key: "ca.crt"}}
	for name, database := range map[string]v1alpha1.Database{
		"url":         {URLFrom: secret("url")},
		"certificate": {URLFrom: secret("another"), TLS: v1alpha1.TLS{CAFrom: authority}},
		"sqlite":      {SQLite: v1alpha1.SQLite{ClaimName: "webui", RunAsUser: new(int64(1000))}},
		"host": {
			Host: "db.example.test", Name: "webui", UserFrom: secret("user"), PasswordFrom: secret("password"),
			SSLMode: v1alpha1.SSLModeVerifyFull, TLS: v1alpha1.TLS{
				CAFrom: authority, CertFrom: v1alpha1.CertificateSource{SecretKeyRef: secret("crt").SecretKeyRef}, KeyFrom: secret("key"),
			},
		},
	} {
		schema := targeting(namespace, name)
		schema.Spec.Database = database
		create(t, schema)
		runPod(t, startedJob(t, schema, "1"))
	}
	root := labeledPod(namespace, "app:1")
	if err := server.Client.Create(t.Context(), root, client.DryRunAll); err == nil {
		t.Error("the namespace is not restricted at all")
	}
}

// countJobs counts the Jobs that migrate in a namespace.
func countJobs(t *testing.T, namespace string) int {
	t.Helper()
	jobs := &batchv1.JobList{}
	if err := server.Client.List(t.Context(), jobs, client.InNamespace(namespace), client.HasLabels{naming.LabelJobSchema}); err != nil {
		t.Fatal(err)
	}
	return len(jobs.Items)
}
