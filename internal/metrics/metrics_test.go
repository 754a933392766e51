package metrics_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/schemagate/schemagate/internal/metrics"
)

// observe has every metric told of something.
func observe(m *metrics.Metrics) {
	at := time.Unix(1767225600, 0)
	m.Schema("a", "b", metrics.Schema{
		Bundle: "open-webui", Birth: "alembic", Revision: "f0bd01a18a3d", AppVersion: "0.11.0",
		Applied: 73, Target: 76, Pending: 3, Waiting: 2, OldestWaiting: at, GateDisabled: true, ApprovalPending: true,
		Conditions:  []metrics.Condition{{Type: "Ready", Status: "False", Reason: "AwaitingApproval"}},
		Differences: 4, Failures: 5, MigrationStart: at.Add(1), Success: at.Add(time.Second), Verified: at.Add(time.Minute),
	})
	m.Migrated("Succeeded", "", 2*time.Second)
	m.Migrated("SQLError", "Failed", 0)       // less than a second
	m.Migrated("Unreachable", "Retrying", -1) // how long is not known
	m.Retried("Retrying")
	m.Drained()
	m.Opened(3 * time.Second)
	m.PoliciesMissing(6)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := metrics.New(registry)
	observe(m)
	m.Schema("a", "gone", metrics.Schema{Applied: 1})
	m.Forget("a", "gone")

	want := `
		# HELP schemagate_admission_policies_missing Admission policies and bindings that are not installed; absent until the operator has looked, where it may not, and where they are optional.
		# TYPE schemagate_admission_policies_missing gauge
		schemagate_admission_policies_missing 6
		# HELP schemagate_databaseschema_info 1, with the bundle, and what the database was last seen to hold: the id of its revision, the first release that has it, and its birth.
		# TYPE schemagate_databaseschema_info gauge
		schemagate_databaseschema_info{app_version="0.11.0",birth="alembic",bundle="open-webui",name="b",namespace="a",revision="f0bd01a18a3d"} 1
		# HELP schemagate_databaseschema_condition 1 for each condition of the status, with its status and reason.
		# TYPE schemagate_databaseschema_condition gauge
		schemagate_databaseschema_condition{name="b",namespace="a",reason="AwaitingApproval",status="False",type="Ready"} 1
		# HELP schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds When the oldest of the pods was created that the gate holds; absent while it holds none.
		# TYPE schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds gauge
		schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds{name="b",namespace="a"} 1.7672256e+09
		# HELP schemagate_gate_opened_total Gates that the operator has opened; those that open at admission are not seen.
		# TYPE schemagate_gate_opened_total counter
		schemagate_gate_opened_total 1
		# HELP schemagate_migration_failures_total Failed migration Jobs by class: Retrying, Failed or Lost.
		# TYPE schemagate_migration_failures_total counter
		schemagate_migration_failures_total{class="Failed"} 1
		schemagate_migration_failures_total{class="Lost"} 0
		schemagate_migration_failures_total{class="Retrying"} 1
		# HELP schemagate_migration_retries_total Attempts that follow a failed one, by the class of that failure: Retrying, Failed or Lost.
		# TYPE schemagate_migration_retries_total counter
		schemagate_migration_retries_total{class="Failed"} 0
		schemagate_migration_retries_total{class="Lost"} 0
		schemagate_migration_retries_total{class="Retrying"} 1
	`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"schemagate_admission_policies_missing", "schemagate_databaseschema_info", "schemagate_databaseschema_condition",
		"schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds", "schemagate_gate_opened_total",
		"schemagate_migration_failures_total", "schemagate_migration_retries_total")
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "schemagate_migration_duration_seconds"); err != nil || n != 2 {
		t.Errorf("%d durations (%v), want those of the two that are known", n, err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("the linter says %v (%v)", problems, err)
	}
}

// TestBeginnings: what increases is there before anything happens, or its first
// increase would not be one.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	metrics.New(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if histogram := metric.GetHistogram(); metric.GetCounter().GetValue() > 0 || histogram.GetSampleCount() > 0 {
				t.Errorf("%s does not begin at 0", family.GetName())
			}
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				if label.GetName() == "class" || label.GetName() == "result" {
					name += " " + label.GetValue()
				}
			}
			got[name]++
		}
	}
	want := map[string]int{
		"schemagate_build_info": 1, "schemagate_drain_pods_total": 1, "schemagate_gate_opened_total": 1, "schemagate_gate_wait_seconds": 1,
		"schemagate_migration_duration_seconds Succeeded": 1,
		"schemagate_migration_failures_total Retrying":    1, "schemagate_migration_failures_total Failed": 1, "schemagate_migration_failures_total Lost": 1,
		"schemagate_migration_retries_total Retrying": 1, "schemagate_migration_retries_total Failed": 1, "schemagate_migration_retries_total Lost": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what there is at first (-want +got):\n%s", diff)
	}
}

// TestSchemaValues: each field ends up in the metric that is named after it.
func TestSchemaValues(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	observe(metrics.New(registry))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if rest, ok := strings.CutPrefix(family.GetName(), "schemagate_databaseschema_"); ok {
			got[rest] = family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"applied_revision": 73, "target_revision": 76, "pending_revisions": 3, "waiting_pods": 2, "gate_disabled": 1,
		"approval_pending": 1, "drift_differences": 4, "failed_attempts": 5, "migration_start_timestamp_seconds": 1767225600,
		"last_success_timestamp_seconds": 1767225601, "verified_timestamp_seconds": 1767225660,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// TestChangeLeavesNothing: a schema has one series of each metric, whatever its
// labels were before, and times that there are not are not told.
func TestChangeLeavesNothing(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := metrics.New(registry)
	observe(m)
	m.Schema("a", "b", metrics.Schema{
		Revision: "other", Conditions: []metrics.Condition{{Type: "Ready", Status: "True", Reason: "UpToDate"}},
	})
	for name, want := range map[string]int{
		"info": 1, "condition": 1, "applied_revision": 1, "oldest_waiting_pod_timestamp_seconds": 0,
		"migration_start_timestamp_seconds": 0, "last_success_timestamp_seconds": 0, "verified_timestamp_seconds": 0,
	} {
		n, err := testutil.GatherAndCount(registry, "schemagate_databaseschema_"+name)
		if err != nil || n != want {
			t.Errorf("%s has %d series (%v), want %d", name, n, err, want)
		}
	}
}

// TestReference: the reference describes every metric, and no other.
func TestReference(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	observe(metrics.New(registry))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		name := "`" + family.GetName() + "`"
		if !strings.Contains(string(content), name) || !strings.Contains(string(content), strings.TrimSuffix(family.GetHelp(), ".")) {
			t.Errorf("the reference lacks %s: make generate", name)
		}
	}
	if described := strings.Count(string(content), "\n| `schemagate_"); described != len(families) {
		t.Errorf("the reference has %d metrics of our own, and there are %d: make generate", described, len(families))
	}
}
