// Package manager is the command that runs the operator.
package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/controllers"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/naming"
)

// NewCmd returns the command. Changes are made to what the flags say before it is
// used, for programs of tests.
func NewCmd(changes ...func(*Options)) *cobra.Command {
	var options Options
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Long: `Run the operator: it watches DatabaseSchemas and the pods that carry their label.

It connects to the cluster that KUBECONFIG names or, in a pod, to its own.`,
		Args: output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, change := range changes {
				change(&options)
			}
			if err := errors.Join(options.Complete(), options.Validate()); err != nil {
				return exit.Usage(err)
			}
			restConfig, err := config.GetConfig()
			if err != nil {
				return exit.Usage(fmt.Errorf("finding the cluster: %w", err))
			}
			return Run(cmd.Context(), restConfig, options, cmd.ErrOrStderr())
		},
	}
	options.addTo(cmd.Flags())
	return cmd
}

// Run runs the operator against a cluster until the context ends, and logs to
// log. The options have to be complete and valid.
func Run(ctx context.Context, restConfig *rest.Config, options Options, log io.Writer) error {
	logger, err := NewLogger(options, log)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	mgr, err := New(ctx, restConfig, options, logger)
	if err != nil {
		return err
	}
	logger.Info("Starting operator", "namespaces", options.Namespaces, "leaderElection", options.LeaderElect)
	return mgr.Start(ctx)
}

// reconcileTimeout bounds the work on one object. It takes a few requests, of
// which each takes milliseconds.
const reconcileTimeout = time.Minute

// New builds the manager: its caches hold DatabaseSchemas and labeled pods of
// the namespaces it serves, and nothing else. The context bounds building it.
func New(ctx context.Context, restConfig *rest.Config, options Options, logger logr.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	labeled, err := having(v1alpha1.LabelSchema)
	if err != nil {
		return nil, err
	}
	migrating, err := having(naming.LabelJobSchema)
	if err != nil {
		return nil, err
	}
	// The server's own priority and fairness keeps this client in bounds; ours
	// would only make gates open later.
	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS = -1
	lock, election, err := options.election(restConfig)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		LeaderElectionResourceLockInterface: election,
		Scheme:                              scheme,
		Logger:                              logger,
		Cache: cache.Options{
			DefaultNamespaces: options.watched(),
			DefaultTransform:  cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Pod{}:  {Label: labeled, Transform: controllers.TrimPod},
				&batchv1.Job{}: {Label: migrating},

				controllers.NewReplicaSet(): {Label: labeled, Transform: controllers.TrimReplicaSet},
			},
		},
		Metrics: metricsserver.Options{
			BindAddress:    options.MetricsBindAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress:        options.HealthBindAddress,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              naming.LeaderElectionID,
		LeaderElectionNamespace:       options.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 nonZero(options.LeaseDuration),
		RenewDeadline:                 nonZero(options.RenewDeadline),
		RetryPeriod:                   nonZero(options.RetryPeriod),
		Controller: ctrlconfig.Controller{
			// Names are unique here; tests run several operators in one process.
			SkipNameValidation: new(true),
			// No request may hold up a worker for ever.
			ReconciliationTimeout: reconcileTimeout,
		},
	})
	if err != nil {
		return nil, err
	}
	policies := newPolicies(mgr, options)
	if err := register(ctx, mgr, restConfig, options, policies, lock.Leads); err != nil {
		return nil, err
	}
	if options.AdmissionPolicies == policiesRequired {
		if err := mgr.AddReadyzCheck("admission-policies", policies.Check); err != nil {
			return nil, err
		}
	}
	ready := &readiness{}
	err = errors.Join(mgr.Add(ready), mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("caches", ready.check))
	if err != nil {
		return nil, err
	}
	return mgr, nil
}

// nonZero leaves it to the library what is not said.
func nonZero(d time.Duration) *time.Duration {
	if d == 0 {
		return nil
	}
	return &d
}

// readiness is given once the caches hold what the API server has: before,
// every schema and pod would seem to be missing.
type readiness struct{ synced atomic.Bool }

// Start is called when the caches are in sync.
func (r *readiness) Start(context.Context) error {
	r.synced.Store(true)
	return nil
}

// NeedLeaderElection is false: a replica that waits for its turn is ready.
func (r *readiness) NeedLeaderElection() bool { return false }

func (r *readiness) check(*http.Request) error {
	if !r.synced.Load() {
		return errors.New("the caches are not in sync yet")
	}
	return nil
}

// NewLogger returns what the operator logs to.
func NewLogger(options Options, log io.Writer) (logr.Logger, error) {
	level, err := options.level()
	if err != nil {
		return logr.Logger{}, err
	}
	handlerOptions := &slog.HandlerOptions{Level: level, ReplaceAttr: nameLevel}
	var handler slog.Handler = slog.NewJSONHandler(log, handlerOptions)
	if options.LogFormat == "text" {
		handler = slog.NewTextHandler(log, handlerOptions)
	}
	return logr.FromSlogHandler(handler), nil
}

// nameLevel gives the levels between those that have names, at which libraries
// log, the name of the one below: readers of logs know no "DEBUG+3".
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	level, ok := a.Value.Any().(slog.Level)
	if !ok || a.Key != slog.LevelKey || len(groups) > 0 {
		return a
	}
	for _, named := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo} {
		if level >= named {
			return slog.Any(slog.LevelKey, named)
		}
	}
	return slog.Any(slog.LevelKey, slog.LevelDebug)
}
