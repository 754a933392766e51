package bench_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/naming"
)

// memory is what the leader uses, in bytes: of the machine, and of its heap; and
// what the replica that waits for its turn uses of the machine.
type memory struct{ resident, heap, standby float64 }

// metrics reads what the operator tells Prometheus.
type metrics struct {
	cluster *cluster
	token   string
	client  *http.Client
}

// newMetrics makes an account that may read metrics.
func (c *cluster) newMetrics(b *testing.B) *metrics {
	b.Helper()
	namespace := c.newNamespace(b)
	m := &metrics{
		cluster: c,
		token:   c.account(b, namespace, "prometheus").BearerToken,
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is made by the operator at start
		}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "schemagate-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "prometheus"}},
	}
	c.create(b, binding)
	b.Cleanup(func() {
		if err := c.admin.Delete(context.WithoutCancel(b.Context()), binding); err != nil {
			b.Error(err)
		}
	})
	return m
}

// settled waits until the operator has collected its garbage, which it does every
// two minutes when it has nothing to do, and returns what it uses then.
func (m *metrics) settled(b *testing.B) (now memory) {
	b.Helper()
	since := float64(time.Now().Unix())
	// Each look leaves some garbage, too.
	every(b, 5*time.Second, "the operator collects its garbage", func(ctx context.Context) (bool, error) {
		leader, standby, err := m.cluster.replicas(ctx)
		if err != nil {
			return false, err
		}
		leading, err := m.read(ctx, leader)
		if err != nil {
			return false, err
		}
		waiting, err := m.read(ctx, standby)
		if err != nil {
			return false, err
		}
		const resident, collected = "process_resident_memory_bytes", "go_memstats_last_gc_time_seconds"
		now = memory{resident: leading[resident], heap: leading["go_memstats_heap_alloc_bytes"], standby: waiting[resident]}
		return leading[collected] > since && waiting[collected] > since && now.resident > 0 && now.heap > 0, nil
	})
	return now
}

// read returns the metrics of a pod of the operator that have no labels. Pods can
// be reached from the machine.
func (m *metrics) read(ctx context.Context, pod *corev1.Pod) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+pod.Status.PodIP+":8443/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+m.token)
	response, err := m.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("the operator answers %s", response.Status))
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			values[name] = value
		}
	}
	return values, nil
}

// replicas returns the operator's pod that leads, and the one that does not.
func (c *cluster) replicas(ctx context.Context) (leader, standby *corev1.Pod, err error) {
	lease := &coordinationv1.Lease{}
	if err := c.admin.Get(ctx, types.NamespacedName{Namespace: operatorNamespace, Name: naming.LeaderElectionID}, lease); err != nil {
		return nil, nil, err
	}
	pods := &corev1.PodList{}
	if err := c.admin.List(ctx, pods, client.InNamespace(operatorNamespace)); err != nil {
		return nil, nil, err
	}
	name, _, _ := strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "_")
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Name == name {
			leader = pod
		} else {
			standby = pod
		}
	}
	if leader == nil || standby == nil {
		return nil, nil, fmt.Errorf("of %d replicas none leads, or none does not", len(pods.Items))
	}
	return leader, standby, nil
}

// restartOperator stops the operator and starts it again, and waits until one of
// its pods leads and all are ready.
func (c *cluster) restartOperator(b *testing.B) {
	b.Helper()
	var replicas int32
	for _, replicas = range []int32{0, 2} {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "schemagate"}}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas))
		if err := c.admin.Patch(b.Context(), deployment, patch); err != nil {
			b.Fatal(err)
		}
		eventually(b, fmt.Sprintf("the operator has %d replicas", replicas), func(ctx context.Context) (bool, error) {
			if err := c.admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
				return false, err
			}
			pods := &corev1.PodList{}
			err := c.admin.List(ctx, pods, client.InNamespace(operatorNamespace))
			return deployment.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas), err
		})
	}
	eventually(b, "the operator leads", func(ctx context.Context) (bool, error) {
		_, _, err := c.replicas(ctx)
		return err == nil, err
	})
}
