package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/kubectl"
	"github.com/schemagate/schemagate/internal/cmd/root"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// Roles that people have. The aggregated ones are made of these by a controller
// that does not run here.
var (
	viewer     = []string{"system:aggregate-to-view", "schemagate-view"}
	editor     = []string{"system:aggregate-to-view", "system:aggregate-to-edit", "schemagate-view", "schemagate-edit"}
	gatekeeper = []string{"schemagate-gatekeeper"}
)

// person is somebody with roles in a namespace, or in all where that is empty, and
// how they call the commands.
type person struct {
	t         *testing.T
	name      string
	namespace string
	config    string // file
}

// newPerson binds roles to a user of its own.
func newPerson(t *testing.T, namespace, name string, everywhere bool, roles ...string) *person {
	t.Helper()
	if err := server.CreateFrom(t.Context(), "config", "rbac", "people.yaml"); err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, name: namespace + ":" + name, namespace: namespace, config: filepath.Join(t.TempDir(), "config")}
	for _, role := range roles {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: strings.ReplaceAll(p.name+"-"+role, ":", "-")}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
		subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.name}}
		if everywhere {
			meta.Namespace = ""
			create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			continue
		}
		create(t, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: server.Config.CertData, ClientKeyData: server.Config.KeyData}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "admin", Namespace: "default"}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, p.config); err != nil {
		t.Fatal(err)
	}
	return p
}

// calls runs a command of "kubectl schemagate", and returns what it wrote and its
// exit code.
func (p *person) calls(args ...string) (output string, code int) {
	p.t.Helper()
	cmd, args := root.ForProgram(append([]string{"/usr/local/bin/" + kubectl.PluginName}, args...))
	var out bytes.Buffer
	code = root.Run(p.t.Context(), cmd, append(args, "--kubeconfig", p.config, "--context", "test", "-n", p.namespace, "--as", p.name), &out, &out)
	return out.String(), code
}

// does wants a command to end with a code, and to say some words.
func (p *person) does(code int, says []string, args ...string) string {
	p.t.Helper()
	output, got := p.calls(args...)
	if got != code {
		p.t.Errorf("%q ends with %d, want %d:\n%s", args, got, code, output)
	}
	for _, word := range says {
		if !strings.Contains(output, word) {
			p.t.Errorf("%q does not say %q:\n%s", args, word, output)
		}
	}
	return output
}

// knows waits until the API server has taken up what the person may.
func (p *person) knows(c client.Client) *person {
	p.t.Helper()
	awaitAuthorized(p.t, p.namespace, c)
	return p
}

func newViewer(t *testing.T, namespace string) *person {
	t.Helper()
	p := newPerson(t, namespace, "viewer", false, viewer...)
	return p.knows(server.As(t, p.name))
}

func newEditor(t *testing.T, namespace string) *person {
	t.Helper()
	p := newPerson(t, namespace, "editor", false, editor...)
	return p.knows(server.As(t, p.name))
}

// TestKubectlLooks: with the role view, status, plan, history and watch show
// everything, and nothing can be changed.
func TestKubectlLooks(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	create(t, labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.0"))
	p := newViewer(t, namespace)
	job := startedJob(t, schema, "1")
	await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return s.WaitingPods != nil && *s.WaitingPods == 1 })

	p.does(0, []string{"not Ready, Inspecting", "nobody has looked yet", job.Name + " Running, attempt 1", "1 pod", "needs 73 (0.11.0)"}, "status")
	p.does(0, []string{"wherever the database is", "A Job looks at the database first"}, "plan", schemaName)
	p.does(0, []string{"No migrations are recorded"}, "history")
	p.does(result.ExitTransient, []string{"Inspecting", "1 pod waiting", "not within --timeout"}, "watch", schemaName, "--timeout=1s")
	p.does(result.ExitPermanent, []string{"forbidden"}, "suspend", schemaName)
	p.does(result.ExitPermanent, []string{"forbidden"}, "status", "-A")
	p.does(result.ExitPermanent, []string{"there is no DatabaseSchema none"}, "status", "none")
	p.does(result.ExitUsage, []string{"--to"}, "plan", schemaName, "--to", "0.1")

	ended := make(chan string, 1)
	go func() {
		output, code := p.calls("watch", schemaName)
		ended <- fmt.Sprint(code, "\n", output)
	}()
	pod := runPod(t, job)
	endPod(t, pod, born)
	endJob(t, job, pod)
	if output := <-ended; !strings.HasPrefix(output, "0\n") || !strings.Contains(output, "UpToDate") {
		t.Errorf("watch has ended with %s", output)
	}

	var report struct {
		Ready   string
		Applied struct{ Version int }
		Serves  struct{ To int }
	}
	if err := json.Unmarshal([]byte(p.does(0, nil, "status", schemaName, "-o", "json")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Ready != "True" || report.Applied.Version != 73 || report.Serves.To != 73 {
		t.Errorf("the report is %+v", report)
	}
	p.does(0, []string{"ready: \"True\"", "items:"}, "status", "-o", "yaml")
	p.does(0, []string{"databaseschema.schemagate.dev/" + schemaName + "\n"}, "status", "-o", "name")
	p.does(0, []string{"0 -> 73 (0.11.0)", "Succeeded", job.Name}, "history", schemaName, "-o", "wide")
	p.does(0, []string{"Nothing to migrate"}, "plan", schemaName)
	p.does(0, []string{"76", "d4c1a8e37b62", "additive"}, "plan", schemaName, "--to", "latest")

	all := newPerson(t, namespace, "everywhere", true, viewer...)
	all.knows(server.As(t, all.name)).does(0, []string{namespace + "/" + schemaName}, "status", "-A")
	all.does(0, []string{namespace, "0 -> 73 (0.11.0)"}, "history", "-A")

	cmd, args := root.ForProgram([]string{kubectl.CompletionName, "status", "--kubeconfig", p.config, "-n", namespace, ""})
	var out bytes.Buffer
	if code := root.Run(t.Context(), cmd, args, &out, &out); code != 0 || !strings.HasPrefix(out.String(), schemaName+"\n") {
		t.Errorf("the completion is %d, %s", code, out.String())
	}
}

// TestKubectlActs: with the role edit, a failure is tried again, a schema is
// suspended, resumed and looked at.
func TestKubectlActs(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	p := newEditor(t, namespace)
	schema := targeting(namespace, schemaName)
	create(t, schema)
	failed := result.Result{Outcome: result.Permanent, Reason: result.ReasonSQLError, From: 62, To: 62, Target: 73, Failure: &result.Failure{Revision: 63}}
	migrate(t, schema, "1", failed)
	await(t, schema, isStalled("SQLError"))
	p.does(result.ExitPermanent, []string{"SQLError"}, "watch", schemaName)
	p.does(0, []string{"Stalled, SQLError"}, "status")
	p.does(0, []string{"Attempt 1 ended as SQLError", "another attempt is asked for"}, "retry", schemaName)
	migrate(t, schema, "2", born)
	await(t, schema, isReady)
	p.does(0, []string{"not changed: no attempt has failed"}, "retry", schemaName)

	p.does(0, []string{"suspended"}, "suspend", schemaName)
	p.does(0, []string{"not changed"}, "suspend", schemaName)
	p.does(result.ExitRefused, []string{"spec.suspend is true", "resume"}, "verify", schemaName)
	p.does(0, []string{"suspended  nothing new begins"}, "status", schemaName)
	p.does(0, []string{"resumed"}, "resume", schemaName)
	await(t, schema, isReady)

	look := result.Result{Outcome: result.Done, From: 73, To: 73, Target: 73, Birth: "alembic", ID: born.ID, AppVersion: born.AppVersion}
	for _, tc := range []struct {
		attempt string
		drift   *result.Drift
		code    int
		says    string
	}{
		{"3", nil, 0, "is what that leaves"},
		{"4", &result.Drift{Count: 1, Differences: []string{"index x is missing"}}, result.ExitDrift, "index x is missing"},
	} {
		ended := make(chan string, 1)
		go func() {
			output, code := p.calls("verify", schemaName)
			ended <- fmt.Sprint(code, "\n", output)
		}()
		look.Drift = tc.drift
		migrate(t, schema, tc.attempt, look)
		if output := <-ended; !strings.HasPrefix(output, fmt.Sprint(tc.code, "\n")) || !strings.Contains(output, tc.says) {
			t.Errorf("verify has ended with %s", output)
		}
	}
	p.does(result.ExitTransient, []string{"not within --timeout"}, "verify", schemaName, "--timeout=1s")
}

// TestKubectlVerifies: verify tells a database that is elsewhere from one that is
// sound, and ends where nobody looks.
func TestKubectlVerifies(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	p := newEditor(t, namespace)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	await(t, schema, isReady)
	p.does(result.ExitPermanent, []string{"nobody looks at a database while no pod needs a revision"}, "verify", schemaName)

	target := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"target": {"type": "Revision", "revision": "73"}}}`))
	if err := server.Client.Patch(t.Context(), schema, target); err != nil {
		t.Fatal(err)
	}
	migrate(t, schema, "1", born)
	isAt := func(number int64) func(v1alpha1.DatabaseSchemaStatus) bool {
		return func(s v1alpha1.DatabaseSchemaStatus) bool { return isReady(s) && s.Attempt.Number == number }
	}
	await(t, schema, isAt(1))
	for _, tc := range []struct {
		found   result.Result
		says    string
		attempt int64
		then    result.Result
	}{
		{says: "release 0.11.0) -> empty, or nothing that is known", attempt: 2, then: born},
		{
			found: result.Result{From: 66, To: 66, Birth: "alembic", ID: "42e2978c7933", AppVersion: "0.10.0"},
			says:  "release 0.11.0) -> revision 66 (42e2978c7933", attempt: 4,
			then: result.Result{Outcome: result.Done, From: 66, To: 73, Target: 73, Birth: "alembic", ID: born.ID, AppVersion: born.AppVersion, Applied: 7},
		},
	} {
		ended := make(chan string, 1)
		go func() {
			output, code := p.calls("verify", schemaName)
			ended <- fmt.Sprint(code, "\n", output)
		}()
		tc.found.Outcome, tc.found.Reason, tc.found.Target = result.Refused, result.ReasonUnexpectedRevision, 73
		migrate(t, schema, fmt.Sprint(tc.attempt), tc.found)
		if output := <-ended; !strings.HasPrefix(output, fmt.Sprint(result.ExitDrift, "\n")) || !strings.Contains(output, tc.says) {
			t.Errorf("verify has ended with %s", output)
		}
		migrate(t, schema, fmt.Sprint(tc.attempt+1), tc.then)
		await(t, schema, isAt(tc.attempt+1))
	}

	releases := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"migrations": {"releases": [{"app": "0.11.0", "revision": "none"}]}}}`))
	if err := server.Client.Patch(t.Context(), schema, releases); err != nil {
		t.Fatal(err)
	}
	await(t, schema, isStalled(v1alpha1.ReasonInvalidReleases))
	p.does(result.ExitPermanent, []string{"InvalidReleases: spec.migrations.releases"}, "verify", schemaName)
}

// TestKubectlWatchWaits: what was said before the last change does not end watch. No
// operator runs here, so nobody reacts to the change.
func TestKubectlWatchWaits(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	p := newEditor(t, namespace)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	says := func(reason string, kinds map[string]metav1.ConditionStatus) {
		t.Helper()
		status := &schema.Status
		status.ObservedGeneration, status.Conditions = &schema.Generation, nil
		for kind, is := range kinds {
			apimeta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: kind, Status: is, Reason: reason, Message: "So it was."})
		}
		if err := server.Client.Status().Update(t.Context(), schema); err != nil {
			t.Fatal(err)
		}
	}
	waits := []string{"waits for the operator to see the last change", "not within --timeout"}
	schema.Status.AppliedRevision = v1alpha1.RevisionStatus{Version: 66, ID: "42e2978c7933", AppVersion: "0.10.0"}
	schema.Status.Birth, schema.Status.Serves = v1alpha1.BirthAlembic, v1alpha1.Serves{From: 66, To: 66}
	says(v1alpha1.ReasonUpToDate, map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: metav1.ConditionTrue})
	p.does(0, []string{"UpToDate"}, "watch", schemaName)
	create(t, labeledPod(namespace, "open-webui:main"))
	p.does(0, []string{"UpToDate"}, "watch", schemaName)
	create(t, labeledPod(namespace, "open-webui:0.11.0"))
	p.does(result.ExitTransient, waits, "watch", schemaName, "--timeout=2s")

	schema.Status.Attempt = v1alpha1.Attempt{
		Number: 1, Job: "job", Decision: "d", Inputs: "i", To: 73, State: v1alpha1.AttemptFailed, Reason: "SQLError", Message: "A statement failed.",
	}
	says("SQLError", map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: metav1.ConditionFalse, v1alpha1.ConditionStalled: metav1.ConditionTrue})
	p.does(result.ExitPermanent, []string{"SQLError"}, "watch", schemaName)
	p.does(0, []string{"another attempt is asked for"}, "retry", schemaName)
	p.does(result.ExitTransient, waits, "watch", schemaName, "--timeout=2s")
}

// TestKubectlApproves: what is approved is one plan, and nothing else.
func TestKubectlApproves(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	p := newEditor(t, namespace)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	pod := labeledPod(namespace, "open-webui:0.10.0")
	create(t, pod)
	at62 := result.Result{
		Outcome: result.Refused, Reason: result.ReasonFencing, From: 62, To: 62, Target: 66, Birth: "alembic", ID: "461111b60977", AppVersion: "0.9.6", Failure: &result.Failure{Revision: 63},
	}
	migrate(t, schema, "1", at62)
	status := await(t, schema, isReason(v1alpha1.ReasonAwaitingApproval))
	message := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApprovalRequired).Message

	plan := p.does(0, []string{"63", "breaking", "lost", "Auto, which means Drain", "kubectl schemagate approve " + schemaName}, "plan", schemaName)
	_, digest, _ := strings.Cut(plan, "--digest ")
	digest, _, _ = strings.Cut(digest, "\n")
	if digest == "" || !strings.Contains(message, "="+digest) {
		t.Fatalf("plan says digest %q, the condition %s", digest, message)
	}
	p.does(result.ExitRefused, []string{"the plan has changed: it is " + digest}, "approve", schemaName, "--digest", "0000", "--yes")
	p.does(result.ExitUsage, []string{"no terminal", "--yes"}, "approve", schemaName)
	p.does(0, []string{"reshape config", "plan " + digest + " approved"}, "approve", schemaName, "--digest", digest, "--yes")
	migrate(t, schema, "2", result.Result{Outcome: result.Done, From: 62, To: 66, Target: 66, Birth: "alembic", ID: "42e2978c7933", AppVersion: "0.10.0", Applied: 4})
	await(t, schema, isReady)
	p.does(0, []string{"not changed: no plan waits"}, "approve", schemaName, "--yes")
	p.does(result.ExitRefused, []string{"of another time"}, "approve", schemaName, "--digest", digest, "--yes")
}

// TestKubectlKnowsReplacedPods: a pod of a StatefulSet that is being rolled back does
// not decide, for plan as little as for the operator.
func TestKubectlKnowsReplacedPods(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	p := newViewer(t, namespace)
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "open-webui", Image: "open-webui:0.9.6"}}},
			},
		},
	}
	create(t, set)
	runs := func(name, image, revision string) {
		t.Helper()
		set.Status.UpdateRevision, set.Status.ObservedGeneration = revision, set.Generation
		if err := server.Client.Status().Update(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		pod := labeledPod(namespace, image)
		pod.Name = name // its ordinal is what tells which pods a set replaces
		pod.Labels[appsv1.StatefulSetRevisionLabel] = revision
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
		create(t, pod)
	}
	runs("web-0", "open-webui:0.10.0", "newer")
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	migrate(t, schema, "1", result.Result{Outcome: result.Done, From: 66, To: 66, Target: 66, Birth: "alembic", ID: "42e2978c7933", AppVersion: "0.10.0"})
	await(t, schema, isReady)
	p.does(0, []string{"Nothing to migrate"}, "plan", schemaName)
	runs("web-1", "open-webui:0.9.6", "older")
	await(t, schema, isReason(v1alpha1.ReasonDowngradeRequired))
	p.does(0, []string{v1alpha1.ReasonDowngradeRequired}, "plan", schemaName)
}

// TestKubectlReleases: only a gatekeeper opens a gate by hand, whatever else
// somebody may do.
func TestKubectlReleases(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	create(t, apiserver.NewSchema(namespace, schemaName))
	pod := labeledPod(namespace, "open-webui:0.11.0")
	create(t, pod)
	newEditor(t, namespace).does(result.ExitRefused, []string{"schemagate-gatekeeper", "--as"}, "release", pod.Name, "--yes")
	administrator := newPerson(t, namespace, "administrator", true, "cluster-admin")
	administrator.knows(server.As(t, administrator.name)).
		does(result.ExitRefused, []string{"accounts that may do everything", "--as"}, "release", pod.Name, "--yes")

	keeper := newPerson(t, namespace, "gatekeeper", false, gatekeeper...)
	keeper.knows(server.As(t, keeper.name)).does(result.ExitUsage, []string{"--yes"}, "release", pod.Name)
	if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil || !schedgate.Has(pod) {
		t.Fatalf("the gate is open (%v)", err)
	}
	keeper.does(0, []string{"which you may not read", "may fail or harm data", pod.Name + " released"}, "release", pod.Name, "--yes")
	if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil || schedgate.Has(pod) {
		t.Errorf("the gate is closed (%v)", err)
	}
	keeper.does(0, []string{"does not carry the gate"}, "release", pod.Name, "--yes")
}

// TestKubectlDoctor: a sound installation has no finding, and what is broken on
// purpose is found.
func TestKubectlDoctor(t *testing.T) {
	t.Parallel()
	home, namespace := server.NewNamespace(t), server.NewNamespace(t)
	operator := newOperatorDeployment(home)
	create(t, operator)
	operator.Status = appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1, UpdatedReplicas: 1}
	if err := server.Client.Status().Update(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: naming.LeaderElectionID},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("one"), LeaseDurationSeconds: new(int32(600)), RenewTime: new(metav1.NowMicro())},
	}
	create(t, lease)
	bindOperator(t, home, "")
	p := newPerson(t, namespace, "doctor", true, append(editor, "schemagate-doctor")...)
	p.knows(server.As(t, p.name))
	create(t, targeting(namespace, schemaName))
	create(t, newApplication(namespace, "sound", nil))
	sound := p.does(0, []string{"0 errors, 0 warnings, 0 not known", "one leads", "API server v1."}, "doctor", "--operator-namespace", home)
	if strings.Count(sound, "OK ") != 13 {
		t.Errorf("not everything is checked:\n%s", sound)
	}

	// From here on things are broken on purpose.
	twin := targeting(namespace, "twin")
	twin.Spec.Database.URLFrom.SecretKeyRef.Name, twin.Spec.Gate, twin.Spec.Suspend = schemaName, v1alpha1.GateDisabled, new(true)
	create(t, twin)
	create(t, newApplication(namespace, "mistyped", func(d *appsv1.Deployment) { d.Spec.Template.Labels[v1alpha1.LabelSchema] = "open-webiu" }))
	create(t, newApplication(namespace, "unlabeled", func(d *appsv1.Deployment) { delete(d.Spec.Template.Labels, v1alpha1.LabelSchema) }))
	create(t, newApplication(namespace, "outside", func(d *appsv1.Deployment) {
		delete(d.Spec.Template.Labels, v1alpha1.LabelSchema)
		d.Labels = map[string]string{v1alpha1.LabelSchema: schemaName}
	}))
	create(t, newApplication(namespace, "migrating", func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "ENABLE_DB_MIGRATIONS", Value: "True"}}
	}))
	create(t, newApplication(namespace, "hasty", func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = new(int32(60)) }))
	stray := labeledPod(namespace, "open-webui:0.11.0")
	stray.Labels[v1alpha1.LabelSchema] = "nobody"
	create(t, stray)
	lease.Spec.RenewTime = new(metav1.NewMicroTime(lease.Spec.RenewTime.AddDate(0, 0, -1)))
	if err := server.Client.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	p.does(result.ExitPermanent, []string{
		"DatabaseSchema " + namespace + "/twin: it refers to the same database as " + namespace + "/" + schemaName,
		"twin: spec.gate is Open", "twin: it is suspended",
		`Deployment ` + namespace + `/mistyped: the label schemagate.dev/schema of its template is "open-webiu"`, "The namespace has: " + schemaName + ", twin.",
		"/unlabeled: it runs an image open-webui",
		"/outside: the label schemagate.dev/schema is its own",
		`/migrating: ENABLE_DB_MIGRATIONS is "True"`,
		"/hasty: progressDeadlineSeconds is 60", "Set it to 600 or more",
		`Pod ` + namespace + `/` + stray.Name + `: its label schemagate.dev/schema is "nobody"`,
		"nobody leads",
	}, "doctor", "--operator-namespace", home)

	// An operator that serves another namespace, with an account without permissions.
	limited := newOperatorDeployment(server.NewNamespace(t))
	limited.Spec.Template.Spec.Containers[0].Args = []string{"manager", "--namespaces=" + home}
	create(t, limited)
	var report struct {
		Errors   int
		Findings []struct{ Severity, Check, Object, Message, Remedy string }
	}
	output := p.does(result.ExitPermanent, nil, "doctor", "-o", "json", "--operator-namespace", limited.Namespace)
	if err := json.Unmarshal([]byte(output), &report); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Error operator: none of 1 replica is ready", "Error operator-leader: it is not there: no operator has ever led",
		"Error operator-permissions: in namespace " + home + " it may not delete,get,list,patch,watch pods; get deployments",
		"Warning schemas: the operator does not serve this namespace; another one may",
	} {
		found := false
		for _, f := range report.Findings {
			found = found || strings.HasPrefix(f.Severity+" "+f.Check+": "+f.Message, want)
		}
		if !found {
			t.Errorf("nothing says %q: %+v", want, report.Findings)
		}
	}
	p.does(result.ExitPermanent, []string{"there is no Deployment whose pods have the label"}, "doctor", "--operator-namespace", namespace)

	// Who may see little is told so.
	newViewer(t, namespace).does(result.ExitPermanent, []string{"Unknown  policies ", "schemagate-doctor"}, "doctor", "--operator-namespace", home)
}

// newOperatorDeployment is the operator as config/manager has it, as far as it
// matters.
func newOperatorDeployment(namespace string) *appsv1.Deployment {
	labels := map[string]string{"app.kubernetes.io/name": "schemagate"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "schemagate"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: naming.ServiceAccount, Containers: []corev1.Container{{Name: "manager", Image: "schemagate:test", Args: []string{"manager"}}},
				},
			},
		},
	}
}

// newApplication is a workload of the application, changed.
func newApplication(namespace, name string, change func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name, v1alpha1.LabelSchema: schemaName}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: "ghcr.io/open-webui/open-webui:v0.11.0@sha256:" + strings.Repeat("0", 64)}}},
			},
		},
	}
	if change != nil {
		change(d)
	}
	return d
}
