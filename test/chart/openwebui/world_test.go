package openwebui_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// name is that of the release, and so of all that it has.
const name = "open-webui"

// Releases that there are stand-ins of. What is between any two of them is fencing.
const (
	oldRelease = "0.9.6"
	midRelease = "0.10.2"
	newRelease = "0.11.1"
)

var needs = map[string]int32{oldRelease: 62, midRelease: 66, newRelease: 76}

// world is one installation of the application: a release with our values, where
// its database is, and a volume for its claim.
type world struct {
	t *testing.T
	release
	db        *sql.DB
	directory string
	pods      int
}

// newWorld makes an installation's surroundings. The values are those of our file,
// with the image and the storage class of the node, and what else the test says.
func newWorld(t *testing.T, file, more string) *world {
	t.Helper()
	host := os.Getenv(hostAddressEnv)
	server := postgres.Start(t, postgres.ListenOn(host))
	local := server.NewDatabase(t)
	fromPods, err := url.Parse(local)
	must(t, err)
	fromPods.Host = host + ":" + fromPods.Port()

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chat-"}}
	must(t, admin.Create(t.Context(), namespace))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, admin.Delete(ctx, namespace))
		must(t, awaitGone(ctx, namespace)) // before the operator is, because of finalizers
	})
	for secret, content := range map[string]map[string]string{
		"open-webui-db":      {"DATABASE_URL": fromPods.String()},
		"open-webui-session": {"WEBUI_SECRET_KEY": "of the stand-in, which does not care"},
	} {
		must(t, admin.Create(t.Context(), &corev1.Secret{ObjectMeta: object(namespace.Name, secret), StringData: content}))
	}
	values := helm.Values(t, read(t, filepath.Join(apiserver.RepositoryRoot(), "integrations", "open-webui-helm", file)),
		"image: {repository: open-webui, pullPolicy: Never}\npersistence: {storageClass: "+namespace.Name+"}", more)
	w := &world{t: t, release: release{namespace.Name, values}, db: postgres.Open(t, local), directory: t.TempDir(), pods: 1}
	if replicas, ok := values["replicaCount"].(float64); ok {
		w.pods = int(replicas)
	}
	w.volume()
	return w
}

// volume makes a persistent volume for the claim of the chart.
func (w *world) volume() {
	w.t.Helper()
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, //nolint:exhaustive // a volume has nothing else
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany},
			StorageClassName: w.namespace, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: w.directory}},
		},
	}
	must(w.t, admin.Create(w.t.Context(), volume))
	w.t.Cleanup(func() { must(w.t, admin.Delete(context.WithoutCancel(w.t.Context()), volume)) })
}

func (w *world) exec(query string) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// use is what people have done with the application: chats, and a setting.
func (w *world) use() {
	w.t.Helper()
	w.exec(`INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at)
		SELECT 'c' || n, 'u1', 'Chat ' || n, ('{"messages": [], "n": ' || n || '}')::json, false, n, n FROM generate_series(1, 100) AS n`)
	w.exec(`INSERT INTO config (id, data, version, created_at) VALUES (1, '{"ui": {"default_locale": "eo"}}', 0, now())`)
}

// rows returns what is left of it, as every release has it.
func (w *world) rows() (text string) {
	w.t.Helper()
	must(w.t, w.db.QueryRowContext(w.t.Context(),
		`SELECT string_agg(concat_ws(' ', id, user_id, title, chat->>'n', created_at, updated_at), ', ' ORDER BY created_at) FROM chat`).Scan(&text))
	return text
}

// schema reads the DatabaseSchema.
func (w *world) schema(ctx context.Context) (*v1alpha1.DatabaseSchema, error) {
	schema := &v1alpha1.DatabaseSchema{}
	return schema, admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, schema)
}

func describe(schema *v1alpha1.DatabaseSchema) string {
	text := fmt.Sprintf("applied %d, target %d", schema.Status.AppliedRevision.Version, schema.Status.TargetRevision.Version)
	for _, c := range schema.Status.Conditions {
		text += fmt.Sprintf("\n  %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

// awaitReason waits until the schema is not ready for a reason.
func (w *world) awaitReason(reason string) (schema *v1alpha1.DatabaseSchema) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		var err error
		if schema, err = w.schema(ctx); err != nil {
			return false, err.Error()
		}
		ready := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == reason && ready.ObservedGeneration == schema.Generation, describe(schema)
	})
	return schema
}

// awaitRuns waits until the release runs, as Helm does otherwise.
func (w *world) awaitRuns(version string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		what := w.lacks(ctx, version)
		return what == "", what
	})
}

// runs fails the test unless the release runs now: Helm has waited for it.
func (w *world) runs(version string) {
	w.t.Helper()
	if what := w.lacks(w.t.Context(), version); what != "" {
		w.t.Fatal(what)
	}
}

// lacks says what is missing for a release to run: its revision, and all its pods,
// which are ready and have never been restarted.
func (w *world) lacks(ctx context.Context, version string) string {
	schema, err := w.schema(ctx)
	if err != nil {
		return err.Error()
	}
	if schema.Status.AppliedRevision.Version != needs[version] || !apimeta.IsStatusConditionTrue(schema.Status.Conditions, v1alpha1.ConditionReady) {
		return "the database is not ready for " + version + ": " + describe(schema)
	}
	if ready, text := w.ready(ctx, version); ready != w.pods {
		return fmt.Sprintf("%d pods of %s are ready, want %d: %s", ready, version, w.pods, text)
	}
	return ""
}

// ready counts the pods of a release that are ready, and describes all.
func (w *world) ready(ctx context.Context, version string) (count int, text string) {
	w.t.Helper()
	pods := &corev1.PodList{}
	must(w.t, admin.List(ctx, pods, client.InNamespace(w.namespace), client.MatchingLabels{"app": name}))
	for i := range pods.Items {
		pod := &pods.Items[i]
		ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		for _, container := range pod.Status.ContainerStatuses {
			if container.RestartCount > 0 {
				w.t.Errorf("%s has been restarted: %+v", pod.Name, container.LastTerminationState)
			}
		}
		text += fmt.Sprintf("%s %s ready=%t gated=%t; ", pod.Name, pod.Spec.Containers[0].Image, ready, schedgate.Has(pod))
		if ready && pod.DeletionTimestamp.IsZero() && strings.HasSuffix(pod.Spec.Containers[0].Image, ":v"+version) {
			count++
		}
	}
	return count, text
}

// approve approves the plan that the schema asks about.
func (w *world) approve() {
	w.t.Helper()
	schema := w.awaitReason(v1alpha1.ReasonAwaitingApproval)
	w.patch(`{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.AnnotationApprove, schema.Status.Approval.Digest)
}

// person is who manages the fields that "kubectl patch" sets.
const person = "kubectl-patch"

// patch does what "kubectl patch dbs open-webui --type=merge" does.
func (w *world) patch(format string, args ...any) {
	w.t.Helper()
	schema := &v1alpha1.DatabaseSchema{ObjectMeta: object(w.namespace, name)}
	must(w.t, admin.Patch(w.t.Context(), schema, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, format, args...)),
		client.FieldOwner(person)))
}

// untouched fails the test if anybody but Helm has set a field of the specs of
// what is in the release, apart from whoever is named. The next upgrade would be
// refused.
func (w *world) untouched(apart ...string) {
	w.t.Helper()
	var workload client.Object = &appsv1.StatefulSet{}
	if kind, ok := w.values["workload"].(map[string]any); ok && kind["kind"] == "Deployment" {
		workload = &appsv1.Deployment{}
	}
	for _, found := range []client.Object{workload, &v1alpha1.DatabaseSchema{}} {
		must(w.t, admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, found))
		managers := map[string]bool{}
		for _, entry := range found.GetManagedFields() {
			fields := map[string]json.RawMessage{}
			must(w.t, json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields))
			if _, ok := fields["f:spec"]; ok && !slices.Contains(apart, entry.Manager) {
				managers[entry.Manager] = true
			}
		}
		if len(managers) != 1 {
			w.t.Errorf("the spec of %T is set by %v, want Helm alone", found, slices.Sorted(maps.Keys(managers)))
		}
	}
}
