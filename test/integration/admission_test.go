package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/podcase"
)

const (
	appImage   = "ghcr.io/open-webui/open-webui:v0.11.0"
	schemaName = "open-webui"
)

// serves0110 is what a database at revision 73 serves.
var serves0110 = v1alpha1.Serves{From: 68, To: 73, AppFrom: "0.11.0", AppBefore: "0.11.1"}

func TestUnlabeledPodIsUntouched(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	for _, image := range []string{appImage, "ghcr.io/open-webui/open-webui:main"} {
		pod := labeledPod(namespace, image)
		pod.Labels = map[string]string{"app": "open-webui"}
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/quota"}}
		want := pod.DeepCopy()
		create(t, pod)
		if diff := cmp.Diff(gateNames(want), gateNames(pod)); diff != "" {
			t.Errorf("gates of an unlabeled pod (-want +got):\n%s", diff)
		}
		if len(pod.Annotations) != 0 || len(pod.Spec.Containers[0].Env) != 0 {
			t.Errorf("an unlabeled pod was changed: annotations %v, env %v", pod.Annotations, pod.Spec.Containers[0].Env)
		}
	}
}

// TestOnlyTheOwnCurrentSchemaServes sends the same pod before schemas that
// differ in one thing each.
func TestOnlyTheOwnCurrentSchemaServes(t *testing.T) {
	t.Parallel()
	serving := func(s *v1alpha1.DatabaseSchema) {
		s.Status.ObservedGeneration = new(s.Generation)
		s.Status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateOpen}
		s.Status.Serves = serves0110
	}
	tests := map[string]struct {
		name   string // of the schema; default schemaName
		spec   func(*v1alpha1.DatabaseSchema)
		status func(*v1alpha1.DatabaseSchema) // nil: none is written
		after  func(t *testing.T, s *v1alpha1.DatabaseSchema)
		served bool
	}{
		"serving": {status: serving, served: true},
		"fresh":   {},
		"foreign": {name: "another", status: serving},
		"foreign with a longer name": {
			name: schemaName + "-2", status: serving,
		},
		"held": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Serves = v1alpha1.Serves{}
			s.Status.Gate.State = v1alpha1.GateHeld
		}},
		"held, the interval not cleared": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Gate.State = v1alpha1.GateHeld
		}},
		"without a gate state": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Gate = v1alpha1.GateStatus{}
		}},
		"of an older generation": {
			status: serving,
			after: func(t *testing.T, s *v1alpha1.DatabaseSchema) {
				t.Helper()
				s.Spec.Suspend = new(true)
				if err := server.Client.Update(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			},
		},
		"being deleted": {
			spec:   func(s *v1alpha1.DatabaseSchema) { s.Finalizers = []string{"example.com/keep"} },
			status: serving,
			after: func(t *testing.T, s *v1alpha1.DatabaseSchema) {
				t.Helper()
				if err := server.Client.Delete(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			},
		},
		"deleted": {
			status: serving,
			after: func(t *testing.T, s *v1alpha1.DatabaseSchema) {
				t.Helper()
				if err := server.Client.Delete(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			},
		},
		"for older releases": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Serves = v1alpha1.Serves{From: 63, To: 66, AppFrom: "0.10.0", AppBefore: "0.11.0"}
		}},
		"for newer releases": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Serves = v1alpha1.Serves{From: 76, To: 76, AppFrom: "0.11.1", AppBefore: "0.11.2"}
		}},
		"for no release at all": {status: func(s *v1alpha1.DatabaseSchema) {
			serving(s)
			s.Status.Serves = v1alpha1.Serves{From: 69, To: 69}
		}},
		"with the gate switched off, never seen": {
			spec: func(s *v1alpha1.DatabaseSchema) { s.Spec.Gate = v1alpha1.GateDisabled }, served: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := server.NewNamespace(t)
			schema := apiserver.NewSchema(namespace, schemaName)
			if tc.name != "" {
				schema.Name = tc.name
			}
			if tc.spec != nil {
				tc.spec(schema)
			}
			create(t, schema)
			if tc.status != nil {
				tc.status(schema)
				updateStatus(t, schema)
			}
			if tc.after != nil {
				tc.after(t, schema)
			}
			// The API server decides on a cached copy, so the last state is
			// waited for, and then has to last.
			apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
				pod := labeledPod(namespace, appImage)
				err := server.Client.Create(ctx, pod, client.DryRunAll)
				return err == nil && schedgate.Has(pod) != tc.served, fmt.Sprintf("gates %v, %v", gateNames(pod), err)
			})
			pod := labeledPod(namespace, appImage)
			create(t, pod)
			if schedgate.Has(pod) == tc.served {
				t.Errorf("gates %v, want served: %v", gateNames(pod), tc.served)
			}
			if _, marked := pod.Annotations[v1alpha1.AnnotationServedBy]; marked != tc.served {
				t.Errorf("annotations %v, want served: %v", pod.Annotations, tc.served)
			}
		})
	}
}

// TestMissingSchema covers namespaces without any schema, whose pods come
// before it as often as not.
func TestMissingSchema(t *testing.T) {
	t.Parallel()
	pod := labeledPod(server.NewNamespace(t), appImage)
	create(t, pod)
	if !schedgate.Has(pod) {
		t.Errorf("gates %v, want ours", gateNames(pod))
	}
}

func TestOtherGatesStay(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	tests := map[string]struct {
		image       string
		gates, want []string
	}{
		"held":                      {image: "app:9.9.9", gates: []string{"a", "b"}, want: []string{"a", "b", v1alpha1.GateName}},
		"served":                    {image: appImage, gates: []string{"a", "b"}, want: []string{"a", "b"}},
		"held, gated by template":   {image: "app:9.9.9", gates: []string{v1alpha1.GateName, "a"}, want: []string{v1alpha1.GateName, "a"}},
		"served, gated by template": {image: appImage, gates: []string{v1alpha1.GateName, "a"}, want: []string{"a"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := labeledPod(namespace, tc.image)
			for _, gate := range tc.gates {
				pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: gate})
			}
			create(t, pod)
			if diff := cmp.Diff(tc.want, gateNames(pod)); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
		})
	}
}

// TestServedCases decides the whole table of pods by two intervals and writes
// the answer down by hand; the comparison with the Go code is another test.
func TestServedCases(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	served := map[string]bool{
		"image ghcr.io/open-webui/open-webui:v0.11.0":           true,
		"image ghcr.io/open-webui/open-webui:0.11.0":            true,
		"image ghcr.io/open-webui/open-webui:0.11.0-cuda":       true,
		"image ghcr.io/open-webui/open-webui:v0.11.0-cuda126":   true,
		"image ghcr.io/open-webui/open-webui:v0.11.0-dev":       true,
		"image open-webui:0.11.0":                               true,
		"image localhost:5000/open-webui:0.11.0":                true,
		"image registry.example.com:5000/a/b/open-webui:0.11.0": true,
		"only container has another name":                       true,
		"sidecar put first":                                     true,
		"sidecar put last":                                      true,
		"several containers, one named by the annotation":       true,
		"the annotation comes before the default name":          true,
		"init containers do not count":                          true,
		"requires 0.11.0":                                       true,
		"requires v0.11.0":                                      true,
		"requires 73":                                           true,
		"requires 073":                                          true,
		"requires does without an application container":        true,
	}
	for _, tc := range podcase.Cases() {
		want := served[tc.Name] || strings.HasPrefix(tc.Name, "image registry.example.com:5000/open-webui:0.11.0@")
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			pod := tc.Pod(namespace, schemaName)
			create(t, pod)
			if got := !schedgate.Has(pod); got != want {
				t.Errorf("served = %v, want %v", got, want)
			}
		})
	}
}

// TestExplicitTarget: a tag that names no version needs the explicit target,
// which is served once the schema is there.
func TestExplicitTarget(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		target v1alpha1.Target
		status v1alpha1.RevisionStatus
		image  string
		served bool
	}{
		"reached":             {target: revision("73"), status: v1alpha1.RevisionStatus{Version: 73, ID: "f0bd01a18a3d"}, image: "app:main", served: true},
		"not reached":         {target: revision("76"), status: v1alpha1.RevisionStatus{Version: 76, ID: "d4c1a8e37b62"}, image: "app:main"},
		"fenced off":          {target: revision("67"), status: v1alpha1.RevisionStatus{Version: 67, ID: "856c5b02fb54"}, image: "app:main"},
		"not resolved":        {target: revision("73"), image: "app:main"},
		"by application":      {target: v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: "0.11.0"}, status: v1alpha1.RevisionStatus{Version: 73, ID: "f0bd01a18a3d"}, image: "app:git-abc", served: true},
		"no explicit target":  {status: v1alpha1.RevisionStatus{Version: 73, ID: "f0bd01a18a3d"}, image: "app:main"},
		"tag names a version": {target: revision("73"), status: v1alpha1.RevisionStatus{Version: 73, ID: "f0bd01a18a3d"}, image: "app:0.99.0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := server.NewNamespace(t)
			schema := apiserver.NewSchema(namespace, schemaName)
			schema.Spec.Target = tc.target
			create(t, schema)
			schema.Status.TargetRevision = tc.status
			serve(t, schema, serves0110)
			pod := labeledPod(namespace, tc.image)
			create(t, pod)
			if got := !schedgate.Has(pod); got != tc.served {
				t.Errorf("served = %v, want %v", got, tc.served)
			}
		})
	}
}

// TestOneOfManySchemas: every schema of a namespace is looked at, and only the
// one that the label names decides.
func TestOneOfManySchemas(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	for i := range 5 {
		schema := apiserver.NewSchema(namespace, fmt.Sprintf("schema-%d", i))
		create(t, schema)
		if i%2 == 0 {
			serve(t, schema, serves0110)
		}
	}
	for i := range 5 {
		pod := labeledPod(namespace, appImage)
		pod.Labels[v1alpha1.LabelSchema] = fmt.Sprintf("schema-%d", i)
		create(t, pod)
		if got, want := !schedgate.Has(pod), i%2 == 0; got != want {
			t.Errorf("schema-%d: served = %v, want %v", i, got, want)
		}
		if want := fmt.Sprintf("schema-%d/73", i); i%2 == 0 && pod.Annotations[v1alpha1.AnnotationServedBy] != want {
			t.Errorf("schema-%d: marked %q, want %q", i, pod.Annotations[v1alpha1.AnnotationServedBy], want)
		}
	}
}

// TestForgedMark: a mark that the pod brings along opens nothing and is gone.
func TestForgedMark(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	pod := labeledPod(namespace, "app:9.9.9")
	pod.Annotations = map[string]string{v1alpha1.AnnotationServedBy: schemaName + "/76", "kept": "yes"}
	create(t, pod)
	if !schedgate.Has(pod) {
		t.Error("the mark has opened the gate")
	}
	if diff := cmp.Diff(map[string]string{"kept": "yes"}, pod.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

// TestNodeNameSet: such a pod is not scheduled, so nothing could hold it.
func TestNodeNameSet(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	pod := labeledPod(namespace, appImage)
	pod.Spec.NodeName = "some-node"
	create(t, pod)
	for name, change := range map[string]func(*corev1.Pod){
		"not served":     func(p *corev1.Pod) { p.Spec.Containers[0].Image = "app:9.9.9" },
		"missing schema": func(p *corev1.Pod) { p.Labels[v1alpha1.LabelSchema] = "missing" },
		"forged mark": func(p *corev1.Pod) {
			p.Spec.Containers[0].Image = "app:9.9.9"
			p.Annotations = map[string]string{v1alpha1.AnnotationServedBy: schemaName + "/73"}
		},
	} {
		pod := labeledPod(namespace, appImage)
		pod.Spec.NodeName = "some-node"
		change(pod)
		err := server.Client.Create(t.Context(), pod)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "spec.nodeName") {
			t.Errorf("%s: %v, want a refusal that names spec.nodeName", name, err)
		}
	}
}

func TestMigrationsSwitchedOff(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	newServingSchema(t, namespace, serves0110)
	off := corev1.EnvVar{Name: admission.MigrationsEnv, Value: "false"}
	other := corev1.EnvVar{Name: "OTHER", Value: "1"}
	tests := map[string]struct {
		image string
		env   []corev1.EnvVar
		want  []corev1.EnvVar
	}{
		"held, no environment":     {image: "app:9.9.9", want: []corev1.EnvVar{off}},
		"served, no environment":   {image: appImage, want: []corev1.EnvVar{off}},
		"held, another variable":   {image: "app:9.9.9", env: []corev1.EnvVar{other}, want: []corev1.EnvVar{other, off}},
		"served, another variable": {image: appImage, env: []corev1.EnvVar{other}, want: []corev1.EnvVar{other, off}},
		"the user says true":       {image: appImage, env: []corev1.EnvVar{{Name: admission.MigrationsEnv, Value: "true"}}, want: []corev1.EnvVar{{Name: admission.MigrationsEnv, Value: "true"}}},
		"the user says false":      {image: appImage, env: []corev1.EnvVar{off, other}, want: []corev1.EnvVar{off, other}},
		"the user takes it elsewhere": {
			image: appImage,
			env:   []corev1.EnvVar{{Name: admission.MigrationsEnv, ValueFrom: migrationsFromConfigMap()}},
			want:  []corev1.EnvVar{{Name: admission.MigrationsEnv, ValueFrom: migrationsFromConfigMap()}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := labeledPod(namespace, tc.image)
			pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "init:1"}}
			pod.Spec.Containers = []corev1.Container{
				{Name: "proxy", Image: "proxy:1"}, {Name: v1alpha1.DefaultContainer, Image: tc.image, Env: tc.env},
			}
			create(t, pod)
			if diff := cmp.Diff(tc.want, pod.Spec.Containers[1].Env); diff != "" {
				t.Errorf("environment of the application (-want +got):\n%s", diff)
			}
			if len(pod.Spec.Containers[0].Env) != 0 || len(pod.Spec.InitContainers[0].Env) != 0 {
				t.Error("another container was given the variable")
			}
		})
	}
}

func migrationsFromConfigMap() *corev1.EnvVarSource {
	return &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "migrations",
	}}
}

func revision(ref v1alpha1.RevisionRef) v1alpha1.Target {
	return v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: ref}
}
