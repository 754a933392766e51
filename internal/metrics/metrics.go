// Package metrics holds what the operator tells Prometheus about itself. Names
// follow schemagate_<subsystem>_<name>_<unit>; labels are bounded by the number
// of DatabaseSchemas and of reasons.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the operator's own metrics. They are safe for concurrent use.
type Metrics struct {
	applied, target, waiting, open *prometheus.GaugeVec
	migration                      *prometheus.HistogramVec
	failures                       *prometheus.CounterVec
	opened, drained                prometheus.Counter
	wait                           prometheus.Histogram
}

// New registers the metrics. It panics when one is registered already, as
// prometheus does.
func New(registry prometheus.Registerer) *Metrics {
	schema := []string{"namespace", "name"}
	m := &Metrics{
		applied: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "schemagate", Subsystem: "databaseschema", Name: "applied_revision",
			Help: "Order number of the revision that the database was last seen at; 0 while nobody has looked.",
		}, schema),
		target: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "schemagate", Subsystem: "databaseschema", Name: "target_revision",
			Help: "Order number of the revision that the database is to be at; 0 while nothing needs one.",
		}, schema),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "schemagate", Subsystem: "databaseschema", Name: "waiting_pods",
			Help: "Labeled pods that the gate holds.",
		}, schema),
		migration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "schemagate", Subsystem: "migration", Name: "duration_seconds",
			Help:    "How long migration Jobs ran, by result: Succeeded or the reason of the failure.",
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400},
		}, []string{"result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "schemagate", Subsystem: "migration", Name: "failures_total",
			Help: "Failed migration Jobs by class: Retrying, Failed or Lost.",
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
	}
	m.drained = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "schemagate", Subsystem: "drain", Name: "pods_total",
		Help: "Running pods that were deleted because a migration would have broken them.",
	})
	m.open = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "schemagate", Subsystem: "databaseschema", Name: "gate_disabled",
		Help: "1 while spec.gate is Open, so that pods start whatever the database holds; 0 otherwise.",
	}, schema)
	registry.MustRegister(m.applied, m.target, m.waiting, m.migration, m.failures, m.opened, m.wait, m.drained, m.open)
	return m
}

// Schema sets what a DatabaseSchema looks like.
func (m *Metrics) Schema(namespace, name string, applied, target, waiting int32) {
	m.applied.WithLabelValues(namespace, name).Set(float64(applied))
	m.target.WithLabelValues(namespace, name).Set(float64(target))
	m.waiting.WithLabelValues(namespace, name).Set(float64(waiting))
}

// Forget drops a DatabaseSchema that is gone.
func (m *Metrics) Forget(namespace, name string) {
	for _, gauge := range []*prometheus.GaugeVec{m.applied, m.target, m.waiting, m.open} {
		gauge.DeleteLabelValues(namespace, name)
	}
}

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

// GateDisabled sets whether spec.gate of a DatabaseSchema is Open.
func (m *Metrics) GateDisabled(namespace, name string, is bool) {
	value := 0.0
	if is {
		value = 1
	}
	m.open.WithLabelValues(namespace, name).Set(value)
}

// Drained counts a running pod that was deleted.
func (m *Metrics) Drained() { m.drained.Inc() }

// Opened counts a gate that was opened after a wait.
func (m *Metrics) Opened(wait time.Duration) {
	m.opened.Inc()
	m.wait.Observe(wait.Seconds())
}
