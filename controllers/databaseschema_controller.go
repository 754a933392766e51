package controllers

import (
	"context"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/tracing"
)

// DatabaseSchemaReconciler brings databases to the revisions that pods need. It
// never connects to one: Jobs do, and tell in their pods' termination messages.
type DatabaseSchemaReconciler struct {
	// Client reads from caches and writes. JobPods is a cache of the pods of
	// migration Jobs, and APIReader asks the API server itself.
	Client    client.Client
	JobPods   client.Reader
	APIReader client.Reader

	// Bundles are the sets of revisions by name.
	Bundles map[v1alpha1.BundleName]*bundle.Bundle

	// Image is what migration pods run: the operator's own. Cluster identifies
	// the cluster in the databases that it owns.
	Image, Cluster string

	// Holds is shared with the PodGateReconciler.
	Holds *Holds

	// Leads reports whether this process leads; nil where it is the only one.
	Leads func() bool

	// Policies tells whether the admission policies are installed; nil where
	// nobody looks.
	Policies *Policies

	// Recorder, Metrics and Clock are as elsewhere.
	Recorder events.EventRecorder
	Metrics  *metrics.Metrics
	Clock    clock.PassiveClock

	// Tracer tells of attempts; nil where nobody asks for traces.
	Tracer *tracing.Tracer
}

// Reconcile observes, decides, records and acts, in this order: a decision that
// is not recorded yet is recorded and nothing else, and acted on when it comes
// back from the API server.
func (r *DatabaseSchemaReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !leads(r.Leads) {
		return ctrl.Result{RequeueAfter: leaderRecheck}, nil
	}
	schema := &v1alpha1.DatabaseSchema{}
	if err := r.Client.Get(ctx, req.NamespacedName, schema); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	observed, err := r.observe(ctx, schema)
	if err != nil {
		return ctrl.Result{}, err
	}
	next := plan.Next(observed)
	if missing, err := r.missesCronJob(ctx, schema, next); err != nil {
		return ctrl.Result{}, err
	} else if missing {
		observed.CronJobMissing = true
		next = plan.Next(observed)
	}
	if (next.Action != plan.Idle || len(next.Evict) > 0) && isRecorded(schema.Status, next.Status) {
		err = r.act(ctx, schema, next)
	}
	return r.finish(ctx, schema, observed, next, err)
}

// leaderRecheck is when a process looks again that does not lead, though it is
// not told yet: it was frozen, or its API server does not answer. It ends soon.
const leaderRecheck = time.Second

// leads reports whether a process leads. Whatever was decided while it did stays
// safe however late it is carried out, because every write says which version it
// is for; whatever would be decided afterwards might rest on caches of before.
func leads(say func() bool) bool { return say == nil || say() }
