package bench_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// newPod returns a pod, not created yet, as people run the application: what is
// kept of it in memory, and read at admission, has a size. No node takes it.
// Without a schema it has no label.
func newPod(namespace, name, schemaName string) *corev1.Pod {
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}}}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{"app.kubernetes.io/name": "open-webui", "app.kubernetes.io/instance": "open-webui", "pod-template-hash": "6d4b75cb6d"},
		},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"schemagate.dev/benchmark": "no-such-node"},
			Containers: []corev1.Container{{
				Name: v1alpha1.DefaultContainer, Image: "ghcr.io/open-webui/open-webui:v" + release,
				Env: []corev1.EnvVar{
					{Name: "DATABASE_URL", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
						LocalObjectReference: corev1.LocalObjectReference{Name: "open-webui-db"}, Key: "DATABASE_URL",
					}}},
					{Name: "WEBUI_URL", Value: "https://chat.example.com"},
					{Name: "OLLAMA_BASE_URL", Value: "http://ollama.ollama.svc:11434"},
					{Name: "REDIS_URL", Value: "redis://redis:6379/0"},
				},
				Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: probe("/health/db"), LivenessProbe: probe("/health"), StartupProbe: probe("/health"),
				Resources:    corev1.ResourceRequirements{Requests: resources("500m", "1Gi"), Limits: resources("2", "2Gi")},
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/app/backend/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	if schemaName != "" {
		pod.Labels[v1alpha1.LabelSchema] = schemaName
	}
	return pod
}

func resources(cpu, memory string) corev1.ResourceList {
	list := make(corev1.ResourceList, 2)
	list[corev1.ResourceCPU], list[corev1.ResourceMemory] = resource.MustParse(cpu), resource.MustParse(memory)
	return list
}

// createPods creates pods, several at a time.
func (c *cluster) createPods(b *testing.B, n int, pod func(int) *corev1.Pod) {
	b.Helper()
	err := each(n, 16, func(i int) error { return c.admin.Create(b.Context(), pod(i)) })
	if err != nil {
		b.Fatal(err)
	}
}

// removePods deletes all pods of a namespace, none of which runs, and waits
// until they are gone.
func (c *cluster) removePods(b *testing.B, namespace string) {
	b.Helper()
	if err := c.admin.DeleteAllOf(b.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
		b.Fatal(err)
	}
	c.awaitNone(b, namespace, corev1.SchemeGroupVersion.WithKind("PodList"))
}

// awaitNone waits until a namespace holds no objects of a kind.
func (c *cluster) awaitNone(b *testing.B, namespace string, kind schema.GroupVersionKind) {
	b.Helper()
	eventually(b, "there is no "+kind.Kind, func(ctx context.Context) (bool, error) {
		objects := &metav1.PartialObjectMetadataList{}
		objects.SetGroupVersionKind(kind)
		err := c.admin.List(ctx, objects, client.InNamespace(namespace), client.Limit(1))
		return err == nil && len(objects.Items) == 0, err
	})
}

func podName(i int) string { return fmt.Sprintf("open-webui-%05d", i) }
