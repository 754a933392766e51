package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/schemagate/schemagate/internal/metrics"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := metrics.New(registry)
	m.Schema("a", "b", 18, 19, 3)
	m.Schema("a", "gone", 1, 1, 1)
	m.Forget("a", "gone")
	m.Migrated("Succeeded", "", 2*time.Second)
	m.Migrated("SQLError", "Failed", 0)       // less than a second
	m.Migrated("Unreachable", "Retrying", -1) // how long is not known
	m.Opened(3 * time.Second)

	want := `
		# HELP schemagate_databaseschema_applied_revision Order number of the revision that the database was last seen at; 0 while nobody has looked.
		# TYPE schemagate_databaseschema_applied_revision gauge
		schemagate_databaseschema_applied_revision{name="b",namespace="a"} 18
		# HELP schemagate_databaseschema_target_revision Order number of the revision that the database is to be at; 0 while nothing needs one.
		# TYPE schemagate_databaseschema_target_revision gauge
		schemagate_databaseschema_target_revision{name="b",namespace="a"} 19
		# HELP schemagate_databaseschema_waiting_pods Labeled pods that the gate holds.
		# TYPE schemagate_databaseschema_waiting_pods gauge
		schemagate_databaseschema_waiting_pods{name="b",namespace="a"} 3
		# HELP schemagate_gate_opened_total Gates that the operator has opened; those that open at admission are not seen.
		# TYPE schemagate_gate_opened_total counter
		schemagate_gate_opened_total 1
		# HELP schemagate_migration_failures_total Failed migration Jobs by class: Retrying, Failed or Lost.
		# TYPE schemagate_migration_failures_total counter
		schemagate_migration_failures_total{class="Failed"} 1
		schemagate_migration_failures_total{class="Retrying"} 1
	`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"schemagate_databaseschema_applied_revision", "schemagate_databaseschema_target_revision",
		"schemagate_databaseschema_waiting_pods", "schemagate_gate_opened_total", "schemagate_migration_failures_total")
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
