package integration_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// patchOperation is one operation of a JSON patch.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// TestWebhookAfterwards has another party's webhook, which the API server
// calls after our mutating policies, change new pods in every unhelpful way.
func TestWebhookAfterwards(t *testing.T) {
	t.Parallel()
	const image = "/spec/containers/0/image"
	label := "/metadata/labels/schemagate.dev~1schema"
	replaceImage := func(to string) []patchOperation { return []patchOperation{{"replace", image, to}} }
	// Whether served has run before add, and the gate is there, is the API
	// server's choice.
	noGates := patchOperation{"add", "/spec/schedulingGates", []string{}}
	tests := map[string]struct {
		image     string
		unlabeled bool
		patch     []patchOperation
		reinvoked bool   // the webhook acts on the first call only
		policy    string // that refuses; else
		gated     bool
	}{
		"label added": {image: "app:9.9.9", unlabeled: true, patch: []patchOperation{{"add", label, schemaName}}, policy: naming.PolicyClosed},
		"label added to a pod that would be served": {image: appImage, unlabeled: true, patch: []patchOperation{{"add", label, schemaName}}, policy: naming.PolicyClosed},
		"image rewritten to one not served":         {image: appImage, patch: replaceImage("app:9.9.9"), gated: true},
		"image rewritten to one served":             {image: "app:9.9.9", patch: replaceImage("mirror.example.com/app:0.11.0")},
		"registry rewritten":                        {image: appImage, patch: replaceImage("mirror.example.com/open-webui:v0.11.0")},
		"tag replaced by a digest":                  {image: appImage, patch: replaceImage("app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), gated: true},
		"gate removed":                              {image: "app:9.9.9", patch: []patchOperation{noGates}, gated: true},
		"sidecar put first":                         {image: appImage, patch: []patchOperation{{"add", "/spec/containers/0", corev1.Container{Name: "proxy", Image: "proxy:1"}}}},
		"schema replaced by one that does not exist, gate removed": {
			image: appImage, patch: []patchOperation{{"replace", label, "missing"}, noGates}, policy: naming.PolicyClosed,
		},
		"schema replaced by one that does not serve, gate removed": {
			image: appImage, patch: []patchOperation{{"replace", label, "held"}, noGates}, policy: naming.PolicyClosed,
		},
		"schema replaced by one that does not serve, gate removed, mark forged": {
			image: appImage,
			patch: []patchOperation{
				{"replace", label, "held"},
				noGates,
				{"add", "/metadata/annotations", map[string]string{v1alpha1.AnnotationServedBy: "held/73"}},
			},
			policy: naming.PolicyClosedServed,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := server.NewNamespace(t)
			newServingSchema(t, namespace, serves0110)
			create(t, apiserver.NewSchema(namespace, "held"))
			startWebhook(t, namespace, tc.patch)
			pod := labeledPod(namespace, tc.image)
			pod.Labels["app"] = "open-webui"
			if tc.unlabeled {
				delete(pod.Labels, v1alpha1.LabelSchema)
			}
			if tc.policy != "" {
				// The API server takes the policy with a parameter up a moment
				// after the test's namespace.
				apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
					err := server.Client.Create(ctx, pod.DeepCopy(), client.DryRunAll)
					return err != nil, "the pod was admitted"
				})
				refused(t, server.Client.Create(t.Context(), pod), tc.policy)
				return
			}
			create(t, pod)
			if got := schedgate.Has(pod); got != tc.gated {
				t.Errorf("gated = %v, want %v (image %s)", got, tc.gated, pod.Spec.Containers[0].Image)
			}
		})
	}
}

// startWebhook registers a mutating webhook that answers every new pod of the
// namespace with the patch, and waits until the API server calls it.
func startWebhook(t *testing.T, namespace string, patch []patchOperation) {
	t.Helper()
	content, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{}, 1)
	webhook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if review.Request.Name == "probe" {
			select {
			case called <- struct{}{}:
			default:
			}
		} else {
			review.Response.PatchType = new(admissionv1.PatchTypeJSONPatch)
			review.Response.Patch = content
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	webhook.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	webhook.StartTLS()
	t.Cleanup(webhook.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw})
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "webhook.example.com",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: new(webhook.URL + "/"), CABundle: authority,
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	create(t, configuration)
	t.Cleanup(func() {
		if err := server.Client.Delete(context.WithoutCancel(t.Context()), configuration); err != nil {
			t.Error(err)
		}
	})
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pod := labeledPod(namespace, appImage)
		pod.Name, pod.GenerateName, pod.Labels = "probe", "", nil
		if err := server.Client.Create(ctx, pod, client.DryRunAll); err != nil {
			return false, err.Error()
		}
		select {
		case <-called:
			return true, ""
		default:
			return false, "the webhook is not called yet"
		}
	})
}
