package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/checker"
	"github.com/schemagate/schemagate/migrations"
)

// startChecker watches a namespace. It is generous: nothing here depends on how
// fast this machine is.
func startChecker(t *testing.T, namespace string) *checker.Checker {
	t.Helper()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	started, err := checker.Start(t.Context(), checker.Options{Client: c, Bundle: b, Namespaces: []string{namespace}, Stale: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return started
}

// newGatekeeper returns a client that may open gates, as the operator may.
func newGatekeeper(t *testing.T, namespace string) client.Client {
	t.Helper()
	return asUser(t, namespace, "gatekeeper", []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "patch"}},
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"databaseschemas/gate"}, Verbs: []string{"update"}},
	})
}

// hold writes the status that the operator would write before a fencing revision.
func hold(t *testing.T, schema *v1alpha1.DatabaseSchema) {
	t.Helper()
	schema.Status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateHeld}
	schema.Status.Serves = v1alpha1.Serves{}
	updateStatus(t, schema)
}

// newPod creates a pod of an image under a name.
func newPod(t *testing.T, namespace, name, image string) *corev1.Pod {
	t.Helper()
	pod := labeledPod(namespace, image)
	pod.GenerateName, pod.Name = "", name
	create(t, pod)
	return pod
}

// release opens the gate of a pod.
func release(t *testing.T, gatekeeper client.Client, pod *corev1.Pod) {
	t.Helper()
	if err := gatekeeper.Patch(t.Context(), pod, removeGate(pod)); err != nil {
		t.Fatalf("releasing pod %s: %v", pod.Name, err)
	}
}

// startAt says, as the kubelet does, when the pod's container was started.
func startAt(t *testing.T, pod *corev1.Pod, at time.Time) {
	t.Helper()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: v1alpha1.DefaultContainer, Image: pod.Spec.Containers[0].Image,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}},
	}}
	if err := server.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// TestCheckerSeesWhatIsWrong plays an operator that does what it must not, and one
// that does what it may.
func TestCheckerSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const oldImage = "ghcr.io/open-webui/open-webui:v0.10.2" // needs revision 66
	namespace := server.NewNamespace(t)
	gatekeeper := newGatekeeper(t, namespace)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	before := newPod(t, namespace, "there-before", appImage)
	release(t, gatekeeper, before) // wrong, but nobody is watching

	watching := startChecker(t, namespace)
	waiting := newPod(t, namespace, "waiting", appImage)
	stale := newPod(t, namespace, "stale", appImage)
	early := newPod(t, namespace, "early", appImage)
	release(t, gatekeeper, early) // wrong: nothing was ever served
	schema.Status.Birth = v1alpha1.BirthAlembic
	serve(t, schema, serves0110)
	release(t, gatekeeper, waiting)
	admitted := newPod(t, namespace, "admitted", appImage)
	outside := newPod(t, namespace, "outside", oldImage)
	release(t, gatekeeper, outside) // wrong: the interval is another one
	hold(t, schema)
	release(t, gatekeeper, stale) // tolerable, because it goes
	if err := server.Client.Delete(t.Context(), stale); err != nil {
		t.Fatal(err)
	}

	// The database goes to 73 first, and back by one when two pods run that need 73.
	now := time.Now().Truncate(time.Second)
	startAt(t, waiting, now.Add(-time.Minute))
	startAt(t, admitted, now.Add(-10*time.Second)) // wrong: too late
	watching.Revision(namespace, schemaName, 73, 72, now.Add(-30*time.Second))
	watching.Revision(namespace, schemaName, 0, 73, now.Add(-time.Hour))

	report := watching.Finish()
	violations := strings.Join(report.Violations, "\n")
	for _, want := range []string{
		"Pod %s/early (needs revision 73, by its image " + appImage + ") was released",
		"Pod %s/outside (needs revision 66, by its image " + oldImage + ") was released",
		"Pod %s/waiting (needs revision 73, by its image " + appImage + ") ran when the database of DatabaseSchema " + schemaName + " went from revision 73 to 72",
		"Pod %s/admitted (needs revision 73, by its image " + appImage + ") was started",
	} {
		if want = fmt.Sprintf(want, namespace); strings.Count(violations, want) != 1 {
			t.Errorf("it is not said once: %s", want)
		}
	}
	if len(report.Violations) != 4 {
		t.Errorf("%d violations, want 4", len(report.Violations))
	}
	report.Violations = nil
	want := checker.Report{StaleReleases: 1, Pods: 6, Releases: 4, Admissions: 1}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("Report (-want +got):\n%s", diff)
	}
	if t.Failed() {
		t.Logf("violations are:\n%s", violations)
	}
}

// TestCheckerIsSatisfied watches the operator itself install a database.
func TestCheckerIsSatisfied(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	watching := startChecker(t, namespace)
	schema, pod := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, pod)
	job := startedJob(t, schema, "1")
	own := runPod(t, job)
	endPod(t, own, born)
	awaitOpen(t, pod)
	next := labeledPod(namespace, appImage)
	create(t, next)
	awaitOpen(t, next) // admitted or released, whoever was first
	endJob(t, job, own)

	report := watching.Finish()
	if len(report.Violations) > 0 {
		t.Errorf("violations are:\n%s", strings.Join(report.Violations, "\n"))
	}
	if report.Pods != 2 || report.Releases+report.Admissions != 2 {
		t.Errorf("Report %+v", report)
	}
}
