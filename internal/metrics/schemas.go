package metrics

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Schema is what is told of one DatabaseSchema. A zero time, and an empty text,
// is one that there is not.
type Schema struct {
	// Bundle, Birth, Revision and AppVersion describe what the database holds:
	// the last two are the id of the applied revision and the first release of
	// the application that has it.
	Bundle, Birth, Revision, AppVersion string

	// Applied and Target are order numbers of revisions; 0 for none. Pending
	// counts those that lie between them and are to be applied or reverted.
	Applied, Target, Pending int

	// Conditions are those of the status.
	Conditions []Condition

	// Waiting counts the pods that the gate holds, and OldestWaiting is when the
	// oldest of them was created.
	Waiting       int
	OldestWaiting time.Time

	// GateDisabled says that spec.gate is Open, ApprovalPending that a person has
	// to approve the plan.
	GateDisabled, ApprovalPending bool

	// Differences counts how the database differs from what its revision leaves,
	// Failures the attempts that have failed in a row.
	Differences, Failures int

	// MigrationStart is when the attempt was decided that is under way, Success
	// when the last migration ended well, and Verified when a Job last looked at
	// the database.
	MigrationStart, Success, Verified time.Time
}

// Condition is a condition of a status, as the API names it.
type Condition struct{ Type, Status, Reason string }

type key struct{ namespace, name string }

// entry is what is known of a schema, with the labels that most of its metrics
// have: made once, because a scrape asks for those of all schemas.
type entry struct {
	Schema

	labels []*dto.LabelPair
}

// schemas is a collector of what is known of each DatabaseSchema. What is told of
// one replaces what was told before, labels included, at a cost that does not
// grow with the number of others.
type schemas struct {
	mu    sync.Mutex
	known map[key]entry

	info, applied, target, pending, condition   *prometheus.Desc
	waiting, oldest, disabled, approval         *prometheus.Desc
	drift, failures, started, success, verified *prometheus.Desc
}

func newSchemas() *schemas {
	labels := []string{"namespace", "name"}
	return &schemas{
		known: map[key]entry{},
		info: prometheus.NewDesc("schemagate_databaseschema_info",
			"1, with the bundle, and what the database was last seen to hold: the id of its revision, the first release that has it, and its birth.",
			append(labels, "bundle", "revision", "app_version", "birth"), nil),
		applied: prometheus.NewDesc("schemagate_databaseschema_applied_revision",
			"Order number of the revision that the database was last seen at; 0 while nobody has looked.", labels, nil),
		target: prometheus.NewDesc("schemagate_databaseschema_target_revision",
			"Order number of the revision that the database is to be at; 0 while nothing needs one.", labels, nil),
		pending: prometheus.NewDesc("schemagate_databaseschema_pending_revisions",
			"Revisions that are to be applied or reverted; 0 while nobody has looked at the database.", labels, nil),
		condition: prometheus.NewDesc("schemagate_databaseschema_condition",
			"1 for each condition of the status, with its status and reason.", append(labels, "type", "status", "reason"), nil),
		waiting: prometheus.NewDesc("schemagate_databaseschema_waiting_pods",
			"Labeled pods that the gate holds.", labels, nil),
		oldest: prometheus.NewDesc("schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds",
			"When the oldest of the pods was created that the gate holds; absent while it holds none.", labels, nil),
		disabled: prometheus.NewDesc("schemagate_databaseschema_gate_disabled",
			"1 while spec.gate is Open, so that pods start whatever the database holds; 0 otherwise.", labels, nil),
		approval: prometheus.NewDesc("schemagate_databaseschema_approval_pending",
			"1 while a plan waits for a person to approve it; 0 otherwise.", labels, nil),
		drift: prometheus.NewDesc("schemagate_databaseschema_drift_differences",
			"In how many places the database differed from what its revision leaves when a Job looked last.", labels, nil),
		failures: prometheus.NewDesc("schemagate_databaseschema_failed_attempts",
			"Attempts to migrate that have failed since the last one that succeeded.", labels, nil),
		started: prometheus.NewDesc("schemagate_databaseschema_migration_start_timestamp_seconds",
			"When the migration was decided that is under way, its drain included; absent while none is.", labels, nil),
		success: prometheus.NewDesc("schemagate_databaseschema_last_success_timestamp_seconds",
			"When the last migration ended well; absent if none of the last ten has.", labels, nil),
		verified: prometheus.NewDesc("schemagate_databaseschema_verified_timestamp_seconds",
			"When a Job last looked at the database itself; absent while none has.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (s *schemas) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		s.info, s.applied, s.target, s.pending, s.condition, s.waiting, s.oldest, s.disabled, s.approval,
		s.drift, s.failures, s.started, s.success, s.verified,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (s *schemas) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	known := maps.Clone(s.known)
	s.mu.Unlock()
	for key, schema := range known {
		s.collect(out, key, schema)
	}
}

func (s *schemas) set(key key, schema Schema) {
	labels := prometheus.MakeLabelPairs(s.applied, []string{key.namespace, key.name})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = entry{schema, labels}
}

func (s *schemas) forget(key key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}

func (s *schemas) collect(out chan<- prometheus.Metric, key key, schema entry) {
	set := func(desc *prometheus.Desc, value float64, more ...string) {
		labels := schema.labels
		if len(more) > 0 {
			labels = prometheus.MakeLabelPairs(desc, append([]string{key.namespace, key.name}, more...))
		}
		out <- &sample{desc: desc, labels: labels, value: value}
	}
	when := func(desc *prometheus.Desc, t time.Time) {
		if !t.IsZero() {
			set(desc, float64(t.Unix()))
		}
	}
	set(s.info, 1, schema.Bundle, schema.Revision, schema.AppVersion, schema.Birth)
	set(s.applied, float64(schema.Applied))
	set(s.target, float64(schema.Target))
	set(s.pending, float64(schema.Pending))
	for _, condition := range schema.Conditions {
		set(s.condition, 1, condition.Type, condition.Status, condition.Reason)
	}
	set(s.waiting, float64(schema.Waiting))
	set(s.disabled, one(schema.GateDisabled))
	set(s.approval, one(schema.ApprovalPending))
	set(s.drift, float64(schema.Differences))
	set(s.failures, float64(schema.Failures))
	when(s.oldest, schema.OldestWaiting)
	when(s.started, schema.MigrationStart)
	when(s.success, schema.Success)
	when(s.verified, schema.Verified)
}

// sample is the value of a gauge at the time of a scrape.
type sample struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	value  float64
}

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *sample) Write(out *dto.Metric) error {
	out.Label, out.Gauge = s.labels, &dto.Gauge{Value: &s.value}
	return nil
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
