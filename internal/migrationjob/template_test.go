package migrationjob_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
)

// template sets every field there is.
func template() v1alpha1.PodTemplate {
	limits := make(corev1.ResourceList)
	limits[corev1.ResourceMemory], limits[corev1.ResourceCPU] = resource.MustParse("256Mi"), resource.MustParse("1")
	return v1alpha1.PodTemplate{
		Labels:       map[string]v1alpha1.LabelValue{"team": "chat"},
		Annotations:  map[string]v1alpha1.AnnotationValue{"note": "a"},
		Resources:    &corev1.ResourceRequirements{Limits: limits},
		NodeSelector: map[string]v1alpha1.LabelValue{"disk": "fast"},
		Tolerations:  []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists, TolerationSeconds: new(int64(5))}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}},
		}},
		PriorityClassName: "high",
		ImagePullSecrets:  []v1alpha1.LocalObjectReference{{Name: "registry"}},
	}
}

// TestTemplateIsClosed: every field of the template reaches the pod, and nothing
// else of the pod changes. A new field fails this test until it is looked at.
func TestTemplateIsClosed(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(template())
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("%s is not tested", full.Type().Field(i).Name)
		}
	}
	o := options(databases()["host"])
	want := migrationjob.New(o).Spec.Template
	o.Schema.Spec.Execution.PodTemplate = template()
	got := migrationjob.New(o).Spec.Template

	want.Labels["team"] = "chat"
	want.Annotations = map[string]string{"note": "a"}
	want.Spec.Containers[0].Resources = *template().Resources
	want.Spec.NodeSelector = map[string]string{"disk": "fast"}
	want.Spec.Tolerations = append(template().Tolerations, want.Spec.Tolerations...)
	want.Spec.Affinity = template().Affinity
	want.Spec.PriorityClassName = "high"
	want.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pod differs (-want +got):\n%s", diff)
	}
}

// TestOwnLabelsStay: what the operator finds its pods by is not for others to
// set, and the label of the application would have the gate hold the pod.
func TestOwnLabelsStay(t *testing.T) {
	t.Parallel()
	o := options(databases()["url"])
	o.Schema.Spec.Execution.PodTemplate.Labels = map[string]v1alpha1.LabelValue{
		naming.LabelManagedBy: "helm", naming.LabelJobSchema: "other", v1alpha1.LabelSchema: "open-webui", "team": "chat",
	}
	want := map[string]string{naming.LabelManagedBy: naming.ManagedBy, naming.LabelJobSchema: "open-webui", "team": "chat"}
	if diff := cmp.Diff(want, migrationjob.New(o).Spec.Template.Labels); diff != "" {
		t.Errorf("the labels differ (-want +got):\n%s", diff)
	}
}

func TestTolerationsOfLostNodes(t *testing.T) {
	t.Parallel()
	ours := func(taint string) corev1.Toleration {
		return corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(30)),
		}
	}
	notReady, unreachable := ours(corev1.TaintNodeNotReady), ours(corev1.TaintNodeUnreachable)
	patient := corev1.Toleration{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, TolerationSeconds: new(int64(600))}
	everything := corev1.Toleration{Operator: corev1.TolerationOpExists}
	tests := map[string]struct{ said, want []corev1.Toleration }{
		"nothing is said":   {nil, []corev1.Toleration{notReady, unreachable}},
		"one is said":       {[]corev1.Toleration{patient}, []corev1.Toleration{patient, unreachable}},
		"all are tolerated": {[]corev1.Toleration{everything}, []corev1.Toleration{everything}},
		"something else is": {template().Tolerations, append(template().Tolerations, notReady, unreachable)},
	}
	for name, test := range tests {
		o := options(databases()["url"])
		o.Schema.Spec.Execution.PodTemplate.Tolerations = test.said
		if diff := cmp.Diff(test.want, migrationjob.New(o).Spec.Template.Spec.Tolerations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
