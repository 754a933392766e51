package gitops_test

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestGatedWorkloads: what the guides say of workloads whose pods wait at the gate,
// by the library that Flux and Helm use.
func TestGatedWorkloads(t *testing.T) {
	t.Parallel()
	deployment := func(reason, truth string) map[string]any {
		return map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": "open-webui", "generation": int64(2)},
			"spec":     map[string]any{"replicas": int64(3), "progressDeadlineSeconds": int64(600)},
			"status": map[string]any{
				"observedGeneration": int64(2), "replicas": int64(3), "updatedReplicas": int64(3), "unavailableReplicas": int64(3),
				"conditions": []any{
					map[string]any{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
					map[string]any{"type": "Progressing", "status": truth, "reason": reason},
				},
			},
		}
	}
	tests := map[string]struct {
		object map[string]any
		want   status.Status
	}{
		"in time":           {deployment("ReplicaSetUpdated", "True"), status.InProgressStatus},
		"past its deadline": {deployment("ProgressDeadlineExceeded", "False"), status.FailedStatus},
		"a StatefulSet": {
			map[string]any{
				"apiVersion": "apps/v1", "kind": "StatefulSet",
				"metadata": map[string]any{"name": "open-webui", "generation": int64(2)},
				"spec":     map[string]any{"replicas": int64(3)},
				"status":   map[string]any{"observedGeneration": int64(2), "replicas": int64(1), "updatedReplicas": int64(1)},
			},
			status.InProgressStatus,
		},
	}
	for name, tc := range tests {
		result, err := status.Compute(&unstructured.Unstructured{Object: tc.object})
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != tc.want {
			t.Errorf("%s: kstatus says %s (%s), want %s", name, result.Status, result.Message, tc.want)
		}
	}
}
