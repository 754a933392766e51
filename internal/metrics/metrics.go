// Package metrics holds what the operator tells Prometheus about itself. Names
// follow schemagate_<subsystem>_<name>_<unit>; labels are bounded by the number
// of DatabaseSchemas and of reasons. docs/reference/metrics.md lists them all.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/schemagate/schemagate/internal/version"
)

//go:generate go run ./generate ../..

// Metrics are the operator's own metrics. They are safe for concurrent use.
type Metrics struct {
	schemas           *schemas
	migration         *prometheus.HistogramVec
	failures, retries *prometheus.CounterVec
	opened, drained   prometheus.Counter
	wait              prometheus.Histogram
	build, policies   *prometheus.GaugeVec
}

// New registers the metrics. It panics when one is registered already, as
// prometheus does.
func New(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		schemas: newSchemas(),
		build: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "schemagate", Subsystem: "build", Name: "info",
			Help: "1, with the version of the operator, its commit and the version of Go that it is built with.",
		}, []string{"version", "commit", "go_version"}),
		migration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "schemagate", Subsystem: "migration", Name: "duration_seconds",
			Help:    "How long migration Jobs ran, by result: Succeeded or the reason of the failure; Jobs of which it is not known, such as lost ones, are not among them.",
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400},
		}, []string{"result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "schemagate", Subsystem: "migration", Name: "failures_total",
			Help: "Failed migration Jobs by class: Retrying, Failed or Lost.",
		}, []string{"class"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "schemagate", Subsystem: "migration", Name: "retries_total",
			Help: "Attempts that follow a failed one, by the class of that failure: Retrying, Failed or Lost.",
		}, []string{"class"}),
		opened: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "schemagate", Subsystem: "gate", Name: "opened_total",
			Help: "Gates that the operator has opened; those that open at admission are not seen.",
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "schemagate", Subsystem: "gate", Name: "wait_seconds",
			Help:    "How long pods waited behind a gate that the operator opened.",
			Buckets: []float64{0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600},
		}),
		drained: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "schemagate", Subsystem: "drain", Name: "pods_total",
			Help: "Running pods that were deleted because a migration would have broken them.",
		}),
		policies: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "schemagate", Subsystem: "admission", Name: "policies_missing",
			Help: "Admission policies and bindings that are not installed; absent until the operator has looked, where it may not, and where they are optional.",
		}, nil),
	}
	registry.MustRegister(m.schemas, m.build, m.migration, m.failures, m.retries, m.opened, m.wait, m.drained, m.policies)
	built := version.Get()
	m.build.WithLabelValues(built.Version, built.Commit, built.GoVersion).Set(1)
	for _, class := range []string{"Retrying", "Failed", "Lost"} {
		m.failures.WithLabelValues(class) // A rate needs a beginning.
		m.retries.WithLabelValues(class)
	}
	// Of the failures, only the classes begin so. There are more than forty reasons,
	// which would be six hundred series of each replica, nearly all at 0 for ever.
	m.migration.WithLabelValues("Succeeded")
	return m
}

// Schema sets what a DatabaseSchema looks like. The conditions are kept.
func (m *Metrics) Schema(namespace, name string, schema Schema) {
	m.schemas.set(key{namespace, name}, schema)
}

// Forget drops a DatabaseSchema that is gone.
func (m *Metrics) Forget(namespace, name string) { m.schemas.forget(key{namespace, name}) }

// Migrated counts a migration Job that has ended. class is empty for one that
// succeeded; a negative duration is one that is not known.
func (m *Metrics) Migrated(result, class string, duration time.Duration) {
	if duration >= 0 {
		m.migration.WithLabelValues(result).Observe(duration.Seconds())
	}
	if class != "" {
		m.failures.WithLabelValues(class).Inc()
	}
}

// Retried counts an attempt that follows a failed one of a class.
func (m *Metrics) Retried(class string) { m.retries.WithLabelValues(class).Inc() }

// Drained counts a running pod that was deleted.
func (m *Metrics) Drained() { m.drained.Inc() }

// Opened counts a gate that was opened after a wait.
func (m *Metrics) Opened(wait time.Duration) {
	m.opened.Inc()
	m.wait.Observe(wait.Seconds())
}

// PoliciesMissing sets how many admission policies and bindings are not there.
func (m *Metrics) PoliciesMissing(count int) { m.policies.WithLabelValues().Set(float64(count)) }
