package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/event"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/controllers"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/tracing"
	"github.com/schemagate/schemagate/migrations"
)

// ownContainer is the operator's container in its own pod.
const ownContainer = "manager"

// identifyTimeout bounds the two questions that the operator asks at start.
const identifyTimeout = 30 * time.Second

// sharedMetrics are the process's: they can be registered once.
var sharedMetrics = metrics.New(ctrlmetrics.Registry)

// having selects what carries a label, whatever its value.
func having(label string) (labels.Selector, error) {
	requirement, err := labels.NewRequirement(label, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	return labels.NewSelector().Add(*requirement), nil
}

// watched are the namespaces to watch; none means all.
func (o *Options) watched() map[string]cache.Config {
	namespaces := map[string]cache.Config{}
	for _, namespace := range o.Namespaces {
		namespaces[namespace] = cache.Config{}
	}
	return namespaces
}

// register adds the controllers to a manager.
func register(ctx context.Context, mgr ctrl.Manager, restConfig *rest.Config, options Options, policies *controllers.Policies, leads func() bool) error {
	if err := options.identify(ctx, mgr.GetAPIReader()); err != nil {
		return err
	}
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		return fmt.Errorf("loading the bundle %s: %w", v1alpha1.BundleOpenWebUI, err)
	}
	bundles := map[v1alpha1.BundleName]*bundle.Bundle{v1alpha1.BundleOpenWebUI: b}
	jobPods, err := newJobPods(mgr, restConfig, options)
	if err != nil {
		return err
	}
	tracer, err := newTracer(ctx, mgr)
	if err != nil {
		return err
	}
	holds := &controllers.Holds{}
	schemas := &controllers.DatabaseSchemaReconciler{
		Client: mgr.GetClient(), JobPods: jobPods.GetCache(), APIReader: mgr.GetAPIReader(),
		Bundles: bundles, Image: options.MigrationImage, Cluster: options.ClusterID, Holds: holds,
		Policies: policies, Leads: leads,
		Recorder: mgr.GetEventRecorder(naming.FieldOwner), Metrics: sharedMetrics, Clock: options.clock(),
		Tracer: tracer,
	}
	gates := &controllers.PodGateReconciler{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Bundles: bundles, Holds: holds, Leads: leads,
		Recorder: mgr.GetEventRecorder(naming.FieldOwner), Metrics: sharedMetrics, Clock: options.clock(),
	}
	return errors.Join(mgr.Add(policies), schemas.SetupWithManager(ctx, mgr, jobPods.GetCache()), gates.SetupWithManager(mgr))
}

// flushTimeout bounds how long the end waits for what receives traces.
const flushTimeout = 5 * time.Second

// newTracer returns nil where nobody asks for traces.
func newTracer(ctx context.Context, mgr ctrl.Manager) (*tracing.Tracer, error) {
	logger := mgr.GetLogger().WithName("tracing")
	tracer, problem := tracing.New(ctx, func(err error) { logger.Error(err, "Exporting traces") })
	if problem != nil {
		logger.Error(problem, "Exporting no traces") // Nothing else depends on them.
	}
	var err error
	if tracer != nil {
		logger.Info("Traces of rollouts are exported")
		err = mgr.Add(&flusher{tracer, logger})
	}
	return tracer, err
}

// flusher exports what is left when the controllers have ended.
type flusher struct {
	tracer *tracing.Tracer
	logger logr.Logger
}

// Start waits for the end.
func (f *flusher) Start(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := f.tracer.Shutdown(ctx); err != nil {
		f.logger.Error(err, "Exporting the last traces")
	}
	return nil
}

// NeedLeaderElection is false: what needs it ends before what does not.
func (f *flusher) NeedLeaderElection() bool { return false }

func newPolicies(mgr ctrl.Manager, options Options) *controllers.Policies {
	policies := &controllers.Policies{
		Reader: mgr.GetAPIReader(), Schemas: mgr.GetClient(), Interval: options.PoliciesInterval,
		Changed: make(chan event.TypedGenericEvent[*v1alpha1.DatabaseSchema]),
	}
	if options.AdmissionPolicies != policiesOptional {
		policies.Metrics = sharedMetrics // Otherwise there would be an alert for ever.
	}
	return policies
}

// newJobPods returns a cluster whose cache holds the pods of migration Jobs. One
// cache can select one kind of object by one label only, and that of the manager
// has the pods of the application.
func newJobPods(mgr ctrl.Manager, restConfig *rest.Config, options Options) (cluster.Cluster, error) {
	migrating, err := having(naming.LabelJobSchema)
	if err != nil {
		return nil, err
	}
	jobPods, err := cluster.New(restConfig, func(o *cluster.Options) {
		o.Scheme = mgr.GetScheme()
		o.Logger = mgr.GetLogger()
		o.Cache = cache.Options{
			DefaultNamespaces: options.watched(),
			DefaultTransform:  cache.TransformStripManagedFields(),
			ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: migrating}},
		}
	})
	if err != nil {
		return nil, err
	}
	return jobPods, mgr.Add(jobPods)
}

// identify fills in what the cluster knows about the operator.
func (o *Options) identify(ctx context.Context, reader client.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	if o.ClusterID == "" {
		namespace := &corev1.Namespace{}
		if err := reader.Get(ctx, types.NamespacedName{Name: metav1.NamespaceSystem}, namespace); err != nil {
			return fmt.Errorf("reading the UID of the namespace %s: set --cluster-id where that is not allowed: %w", metav1.NamespaceSystem, err)
		}
		o.ClusterID = string(namespace.UID)
	}
	if o.MigrationImage != "" {
		return nil
	}
	pod := &corev1.Pod{}
	if err := reader.Get(ctx, types.NamespacedName{Namespace: o.LeaderElectionNamespace, Name: o.PodName}, pod); err != nil {
		return fmt.Errorf("reading the image of the operator's own pod: set --migration-image where that is not allowed: %w", err)
	}
	for _, container := range pod.Spec.Containers {
		if container.Name == ownContainer {
			o.MigrationImage = container.Image
			return nil
		}
	}
	return fmt.Errorf("pod %s has no container %q, whose image migrations would run: set --migration-image", o.PodName, ownContainer)
}
