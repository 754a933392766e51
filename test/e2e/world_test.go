package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/openwebui"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/migrations"
)

// hostAddressEnv names the address of this machine as pods see it.
const hostAddressEnv = "SCHEMAGATE_HOST_ADDRESS"

// Releases that there are stand-ins of, with the revision that each needs: from
// the first to the second all that is pending is additive, from there to the
// third it is not.
const (
	oldRelease     = "0.3.6"
	newRelease     = "0.3.8"
	fencingRelease = "0.3.16"
)

// Releases of later times: all that is between the first two is additive, what is
// before them and between the others is not.
const (
	laterRelease   = "0.6.6"
	betweenRelease = "0.6.32"
	lastRelease    = "0.9.5"
)

var needs = map[string]int32{
	oldRelease: 18, newRelease: 19, fencingRelease: 20, laterRelease: 34, betweenRelease: 39, lastRelease: 60,
}

// world is one installation: a namespace, a database, its Secret, and the names
// by which they are known.
type world struct {
	t         *testing.T
	namespace string
	server    *postgres.Server
	db        *sql.DB
	url       string // as pods see it
	password  string
}

// newWorld starts a PostgreSQL server that pods can reach, with an empty
// database, and creates a namespace with a Secret that tells where it is. When
// the test ends, the database's password must be found nowhere.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldIn(t, newNamespace(t))
}

// newWorldIn is newWorld in a namespace of one's own.
func newWorldIn(t *testing.T, namespace string) *world {
	t.Helper()
	host := os.Getenv(hostAddressEnv)
	if host == "" {
		t.Fatalf("%s is not set: run the tests with `make test-e2e`", hostAddressEnv)
	}
	w := &world{t: t, namespace: namespace, server: postgres.Start(t, postgres.ListenOn(host))}
	local := w.server.NewDatabase(t)
	w.db = postgres.Open(t, local)
	w.url = at(t, local, host)
	w.secret(map[string]string{"DATABASE_URL": w.url})
	parsed, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	w.password, _ = parsed.User.Password()
	t.Cleanup(func() { searchSecret(t, w.namespace, w.password) })
	t.Cleanup(func() { tellCommits(t, w.namespace, schemaName, w.db) })
	return w
}

// at returns a URL with another host.
func at(t *testing.T, raw, host string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = host + ":" + u.Port()
	return u.String()
}

// secret sets the content of the Secret open-webui-db.
func (w *world) secret(content map[string]string) {
	w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui-db"}}
	err := admin.Delete(w.t.Context(), secret)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	create(w.t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui-db"}, StringData: content})
}

// legacy makes the database one that the old release itself has set up, with
// some rows.
func (w *world) legacy() {
	w.t.Helper()
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		w.t.Fatal(err)
	}
	database, err := dburl.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b, Files: files, Steps: openwebui.Steps(), Database: database,
		Target: strconv.Itoa(int(needs[oldRelease])), Birth: string(bundle.BirthPeewee), Version: "test",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := runner.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := runner.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.exec("DROP TABLE schema_migrations, schemagate_history, schemagate_owner")
	w.exec(`INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at)
		SELECT 'c' || n, 'u1', 'Chat ' || n, '{"messages": []}', false, 1, 1 FROM generate_series(1, 100) AS n`)
}

func (w *world) exec(query string) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query); err != nil { //nolint:gosec // the tests write the statements
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) value(query string) (out string) {
	w.t.Helper()
	if err := w.db.QueryRowContext(w.t.Context(), query).Scan(&out); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// newSchema returns the DatabaseSchema of the world, not created yet.
func (w *world) newSchema() *v1alpha1.DatabaseSchema {
	return apiserver.NewSchema(w.namespace, schemaName)
}

// newDeployment returns the workload, not created yet: a stand-in for a release
// of the application.
func (w *world) newDeployment(release string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "open-webui"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "open-webui", v1alpha1.LabelSchema: schemaName}},
				Spec: corev1.PodSpec{
					TerminationGracePeriodSeconds: new(int64(1)),
					Containers: []corev1.Container{{
						Name: v1alpha1.DefaultContainer, Image: standin(release), ImagePullPolicy: corev1.PullNever,
						Env: []corev1.EnvVar{{Name: "DATABASE_URL", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
							LocalObjectReference: corev1.LocalObjectReference{Name: "open-webui-db"}, Key: "DATABASE_URL",
						}}}},
						ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
							HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8080)},
						}},
					}},
				},
			},
		},
	}
}

// standin is the image of the stand-in for a release.
func standin(release string) string { return "open-webui:v" + release }

// release rolls the workload out with another release.
func (w *world) release(release string) {
	w.t.Helper()
	w.patch(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"}},
		`{"spec": {"template": {"spec": {"containers": [{"name": %q, "image": %q}]}}}}`, v1alpha1.DefaultContainer, standin(release))
}

func (w *world) patch(object client.Object, format string, args ...any) {
	w.t.Helper()
	kind := types.StrategicMergePatchType
	if _, ok := object.(*v1alpha1.DatabaseSchema); ok {
		kind = types.MergePatchType
	}
	if err := admin.Patch(w.t.Context(), object, client.RawPatch(kind, fmt.Appendf(nil, format, args...))); err != nil {
		w.t.Fatal(err)
	}
}

// schema reads the DatabaseSchema.
func (w *world) schema(ctx context.Context) (*v1alpha1.DatabaseSchema, error) {
	schema := &v1alpha1.DatabaseSchema{}
	err := admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: schemaName}, schema)
	return schema, err
}

// awaitReason waits until the condition Ready has a status and a reason.
func (w *world) awaitReason(status metav1.ConditionStatus, reason string) *v1alpha1.DatabaseSchema {
	w.t.Helper()
	var schema *v1alpha1.DatabaseSchema
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		var err error
		if schema, err = w.schema(ctx); err != nil {
			return false, err.Error()
		}
		ready := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status == status && ready.Reason == reason && ready.ObservedGeneration == schema.Generation, describe(schema)
	})
	return schema
}

// awaitApplied waits until the schema is ready at a revision.
func (w *world) awaitApplied(revision int32) *v1alpha1.DatabaseSchema {
	w.t.Helper()
	var schema *v1alpha1.DatabaseSchema
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		var err error
		if schema, err = w.schema(ctx); err != nil {
			return false, err.Error()
		}
		return schema.Status.AppliedRevision.Version == revision &&
			apimeta.IsStatusConditionTrue(schema.Status.Conditions, v1alpha1.ConditionReady), describe(schema)
	})
	return schema
}

func describe(schema *v1alpha1.DatabaseSchema) string {
	s := schema.Status
	text := fmt.Sprintf("applied %d, target %d, serves %d-%d, gate %s, attempt %+v", s.AppliedRevision.Version, s.TargetRevision.Version,
		s.Serves.From, s.Serves.To, s.Gate.State, s.Attempt)
	for _, c := range s.Conditions {
		text += fmt.Sprintf("\n  %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

// pods lists the workload's pods.
func (w *world) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := admin.List(ctx, pods, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelSchema: schemaName})
	return pods.Items, err
}

// awaitRelease waits until a number of pods of a release is ready, and there are
// no others.
func (w *world) awaitRelease(release string, replicas int) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		pods, err := w.pods(ctx)
		if err != nil {
			return false, err.Error()
		}
		ready, text := 0, ""
		for i := range pods {
			pod := &pods[i]
			text += fmt.Sprintf("%s %s %s gated=%t ready=%t; ", pod.Name, pod.Spec.Containers[0].Image, pod.Status.Phase, schedgate.Has(pod), isReady(pod))
			if pod.Spec.Containers[0].Image == standin(release) && isReady(pod) && pod.DeletionTimestamp.IsZero() {
				ready++
			}
		}
		return ready == replicas && len(pods) == replicas, text
	})
}

// awaitWaiting waits until pods of a release wait behind the gate.
func (w *world) awaitWaiting(release string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		pods, err := w.pods(ctx)
		if err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(pods, func(pod corev1.Pod) bool {
			return pod.Spec.Containers[0].Image == standin(release) && schedgate.Has(&pod)
		}), fmt.Sprintf("none of %d pods waits", len(pods))
	})
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// jobs lists the migration Jobs.
func (w *world) jobs(ctx context.Context) ([]batchv1.Job, error) {
	jobs := &batchv1.JobList{}
	err := admin.List(ctx, jobs, client.InNamespace(w.namespace), client.HasLabels{naming.LabelJobSchema})
	return jobs.Items, err
}

// awaitJobPod waits until a migration pod runs, and returns it.
func (w *world) awaitJobPod() *corev1.Pod {
	w.t.Helper()
	var running *corev1.Pod
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		pods := &corev1.PodList{}
		if err := admin.List(ctx, pods, client.InNamespace(w.namespace), client.HasLabels{naming.LabelJobSchema}); err != nil {
			return false, err.Error()
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp.IsZero() {
				running = pod
				return true, ""
			}
		}
		return false, fmt.Sprintf("none of %d migration pods runs", len(pods.Items))
	})
	return running
}

// searchSecret fails the test if a password is found where it must not be: in
// any object of the namespace but its Secret, in the operator's objects, logs,
// events and metrics, and in the logs of the migration pods.
func searchSecret(t *testing.T, namespace, password string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	places := map[string][]string{
		"the namespace":         {"get", "pods,jobs,deployments,replicasets,databaseschemas,events,configmaps", "-n", namespace, "-o", "yaml"},
		"the operator's events": {"get", "events", "-n", "schemagate-system", "-o", "yaml"},
		"the operator's logs":   {"logs", "-n", "schemagate-system", "-l", "app.kubernetes.io/name=schemagate", "--tail=-1", "--ignore-errors"},
		"the migrations' logs":  {"logs", "-n", namespace, "-l", naming.LabelJobSchema, "--tail=-1", "--ignore-errors"},
	}
	for place, args := range places {
		output, err := kubectlOutput(ctx, args...)
		if err != nil {
			t.Errorf("looking for the password in %s: %v", place, err)
		}
		if strings.Contains(output, password) {
			t.Errorf("the password is in %s", place)
		}
		if place == "the namespace" && !strings.Contains(output, "DATABASE_") {
			t.Errorf("the search has found nothing at all")
		}
	}
}
