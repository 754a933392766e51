package apiserver

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// awaitPolicies waits until the policies have been seen to act on a pod of a
// namespace of its own. Only a webhook can bring a pod before PolicyClosedServed
// that no other policy stops, so its own test waits for it.
func (s *Server) awaitPolicies(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}
	if err := s.Client.Create(ctx, namespace); err != nil {
		return err
	}
	schema := NewSchema(namespace.Name, "probe")
	if err := s.Client.Create(ctx, schema); err != nil {
		return err
	}
	schema.Status.ObservedGeneration = new(schema.Generation)
	schema.Status.Gate.State = v1alpha1.GateOpen
	schema.Status.Serves = v1alpha1.Serves{From: 1, To: 1, AppFrom: "0.1.0", AppBefore: "0.1.1"}
	if err := s.Client.Status().Update(ctx, schema); err != nil {
		return err
	}
	held := probePod(namespace.Name, "held", "example.com/app:9.9.9")
	for _, probe := range []struct {
		policy string
		acts   func(context.Context) (bool, error)
	}{
		{naming.PolicyAdd, func(ctx context.Context) (bool, error) {
			pod := held.DeepCopy()
			if err := s.Client.Create(ctx, pod, client.DryRunAll); err != nil {
				return false, err
			}
			return schedgate.Has(pod), nil
		}},
		{naming.PolicyServed, func(ctx context.Context) (bool, error) {
			pod := probePod(namespace.Name, "served", "example.com/app:0.1.0")
			if err := s.Client.Create(ctx, pod, client.DryRunAll); err != nil {
				return false, err
			}
			return !schedgate.Has(pod), nil
		}},
		{naming.PolicyClosed, func(ctx context.Context) (bool, error) {
			pod := held.DeepCopy()
			pod.Spec.NodeName = "some-node"
			return deniedBy(s.Client.Create(ctx, pod, client.DryRunAll), naming.PolicyClosed)
		}},
		{naming.PolicyKeep, func(ctx context.Context) (bool, error) {
			pod, err := s.created(ctx, held)
			if err != nil {
				return false, err
			}
			schedgate.Remove(pod)
			return deniedBy(s.Client.Update(ctx, pod, client.DryRunAll), naming.PolicyKeep)
		}},
		{naming.PolicyFixed, func(ctx context.Context) (bool, error) {
			pod, err := s.created(ctx, held)
			if err != nil {
				return false, err
			}
			pod.Labels[v1alpha1.LabelSchema] = "another"
			return deniedBy(s.Client.Update(ctx, pod, client.DryRunAll), naming.PolicyFixed)
		}},
	} {
		var last error // but not that the time is over
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, Timeout, true, func(ctx context.Context) (bool, error) {
			done, err := probe.acts(ctx)
			if ctx.Err() == nil {
				last = err
			}
			return done, nil
		})
		if err != nil {
			return fmt.Errorf("policy %s was not seen to act within %s (last answer: %w)", probe.policy, Timeout, last)
		}
	}
	return nil
}

// created returns the pod as it stands on the server, and creates it first
// where it is not there.
func (s *Server) created(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	err := s.Client.Create(ctx, pod.DeepCopy())
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	found := &corev1.Pod{}
	return found, s.Client.Get(ctx, client.ObjectKeyFromObject(pod), found)
}

func deniedBy(err error, policy string) (bool, error) {
	return err != nil && strings.Contains(err.Error(), "'"+policy+"'"), err
}

func probePod(namespace, name, image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSchema: "probe"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: image}}},
	}
}

// NewSchema returns a DatabaseSchema that the API server accepts.
func NewSchema(namespace, name string) *v1alpha1.DatabaseSchema {
	return &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.DatabaseSchemaSpec{
			Database: v1alpha1.Database{
				URLFrom: v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: "open-webui-db", Key: "DATABASE_URL"}},
			},
			Migrations: v1alpha1.Migrations{Bundle: v1alpha1.BundleOpenWebUI},
		},
	}
}
