// Command generate writes what follows from the metrics and from the alerts:
// the reference of the metrics, and the alerts as the Prometheus operator reads
// them. Its argument is the root of the repository.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/schemagate/schemagate/internal/metrics"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generating from metrics:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the root of the repository, got %d", len(args))
	}
	reference, err := reference()
	if err != nil {
		return err
	}
	component := filepath.Join(args[0], "config", "components", "prometheus")
	rules, err := fs.ReadFile(os.DirFS(component), "rules.yaml")
	if err != nil {
		return err
	}
	// Manifests and documents are public, like the sources beside them.
	return errors.Join(
		os.WriteFile(filepath.Join(args[0], "docs", "reference", "metrics.md"), reference, 0o644),           //nolint:gosec // see above
		os.WriteFile(filepath.Join(component, "prometheusrule.yaml"), prometheusRule(string(rules)), 0o644), //nolint:gosec // see above
	)
}

// prometheusRule wraps a file of rules, which is the spec of a PrometheusRule.
func prometheusRule(rules string) []byte {
	_, rules, _ = strings.Cut(rules, "groups:\n")
	var out bytes.Buffer
	out.WriteString(`# Generated from rules.yaml by go generate. Do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: schemagate
  namespace: schemagate-system
  labels: {app.kubernetes.io/name: schemagate}
spec:
  groups:
`)
	for line := range strings.Lines(rules) {
		if strings.TrimSpace(line) != "" {
			out.WriteString("  ")
		}
		out.WriteString(line)
	}
	return out.Bytes()
}

const (
	intro = `<!-- Generated from internal/metrics by go generate. Do not edit. -->

# Metrics

What the operator tells Prometheus at ` + "`/metrics`" + `. How to scrape it, and the alerts
and the dashboard that go with it, are in [Monitoring](../guides/monitoring.md).

Only the replica that leads works on DatabaseSchemas. The others have the metrics of
the operator, and none of a DatabaseSchema. Gauges follow from the status of each
DatabaseSchema, so that they are the same after a restart; counters and histograms
begin at 0 with each process.

## Of each DatabaseSchema

All have the labels ` + "`namespace` and `name`" + ` of the DatabaseSchema. They go when it does.

`
	operators = `
## Of the operator

`
	libraries = `
## Of the libraries

controller-runtime and the Go runtime add theirs. The alerts and the dashboard use
these:

| metric | labels | |
| --- | --- | --- |
| ` + "`leader_election_master_status`" + ` | ` + "`name`" + ` | 1 in the replica that leads; the name is ` + "`schemagate-leader.schemagate.dev`" + ` |
| ` + "`controller_runtime_reconcile_errors_total`" + ` | ` + "`controller`" + ` | errors, each of which is tried again |
| ` + "`controller_runtime_reconcile_time_seconds`" + ` | ` + "`controller`" + ` | histogram of how long one look takes |
| ` + "`workqueue_depth`" + ` | ` + "`name`, `controller`, `priority`" + ` | objects that wait to be looked at |
| ` + "`rest_client_requests_total`" + ` | ` + "`code`, `method`, `host`" + ` | requests to the API server |
| ` + "`process_resident_memory_bytes`, `process_cpu_seconds_total`" + ` | | of the process |
`
)

// reference lists all metrics. For that, each has to have a value.
func reference() ([]byte, error) {
	registry := prometheus.NewPedanticRegistry()
	m := metrics.New(registry)
	now := time.Now()
	m.Schema("namespace", "name", metrics.Schema{
		Conditions: []metrics.Condition{{}}, OldestWaiting: now, MigrationStart: now, Success: now, Verified: now,
	})
	m.Migrated("Succeeded", "", 0)
	m.PoliciesMissing(0)
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(intro)
	table(&out, families, true)
	out.WriteString(operators)
	table(&out, families, false)
	out.WriteString(libraries)
	return out.Bytes(), nil
}

func table(out *bytes.Buffer, families []*dto.MetricFamily, ofSchemas bool) {
	out.WriteString("| metric | type | labels | |\n| --- | --- | --- | --- |\n")
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "schemagate_databaseschema_") != ofSchemas {
			continue
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()),
			labels(family.GetMetric()[0]), strings.TrimSuffix(family.GetHelp(), "."))
	}
}

// labels lists those that a metric has beside the name of its schema.
func labels(metric *dto.Metric) string {
	var out []string
	for _, label := range metric.GetLabel() {
		if !slices.Contains([]string{"namespace", "name"}, label.GetName()) {
			out = append(out, "`"+label.GetName()+"`")
		}
	}
	return strings.Join(out, ", ")
}
