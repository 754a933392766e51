package prometheus_test

import (
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// of are the labels of the DatabaseSchema that most cases are about.
const of = `namespace="chat", name="open-webui"`

// leads is a replica that leads for as long as a case takes.
const leads = `leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="a"} 1x180
leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="b"} 0x180
`

// TestAlerts evaluates all alerts each minute, as Prometheus would, and compares
// those that fire with what is expected at some of them. A series is a value for
// each minute; "_" is none.
func TestAlerts(t *testing.T) {
	t.Parallel()
	stalled := `SchemagateStalled{name="open-webui", namespace="chat", reason="SQLError", severity="warning"}`
	failing := `SchemagateMigrationFailing{name="open-webui", namespace="chat", severity="warning"}`
	down := `SchemagateOperatorDown{severity="warning"}`
	downAndWaiting := `SchemagateOperatorDownWhilePodsWait{namespace="chat", severity="critical"}`
	tests := map[string]struct {
		series string
		alone  bool // nobody leads
		at     map[int][]string
	}{
		"all is well": {
			series: `schemagate_databaseschema_condition{` + of + `, type="Ready", status="True", reason="UpToDate"} 1x180
schemagate_databaseschema_failed_attempts{` + of + `} 0x180
schemagate_databaseschema_approval_pending{` + of + `} 0x180
schemagate_databaseschema_gate_disabled{` + of + `} 0x180
schemagate_databaseschema_drift_differences{` + of + `} 0x180
schemagate_databaseschema_waiting_pods{` + of + `} 0x180
schemagate_admission_policies_missing 0x180`,
			at: map[int][]string{0: nil, 30: nil, 180: nil},
		},
		"stalled": {
			series: `schemagate_databaseschema_condition{` + of + `, type="Stalled", status="True", reason="SQLError"} 1x20`,
			at:     map[int][]string{1: nil, 2: {stalled}, 20: {stalled}, 29: {stalled}, 30: nil},
		},
		"stalled, and another replica takes over": {
			series: `schemagate_databaseschema_condition{` + of + `, type="Stalled", status="True", reason="SQLError", pod="a"} 1 1 1 1 stale
schemagate_databaseschema_condition{` + of + `, type="Stalled", status="True", reason="SQLError", pod="b"} _ _ _ _ _ 1x20`,
			at: map[int][]string{2: {stalled}, 4: {stalled}, 5: {stalled}},
		},
		"failing again and again": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `} 1 2 3 4 5 6 7 8 9 10`,
			at:     map[int][]string{5: nil, 6: {failing}, 10: {failing}},
		},
		// The first minute of each three waits, the others are the attempt's.
		"failing, and at work in between": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `} 5 5 5 6 6 6 7 7 7 8 8 8 9 9 9 10 10 10
schemagate_databaseschema_condition{` + of + `, type="Ready", status="False", reason="Authentication"} 1 stale _ 1 stale _ 1 stale _ 1 stale _ 1 stale _ 1 stale _
schemagate_databaseschema_condition{` + of + `, type="Ready", status="False", reason="Inspecting"} _ 1 1 stale 1 1 stale 1 1 stale 1 1 stale 1 1 stale 1 1`,
			at: map[int][]string{4: nil, 5: {failing}, 6: {failing}, 7: {failing}, 8: {failing}, 16: {failing}},
		},
		"failing, and another replica takes over": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `, pod="a"} 5 6 7 8 stale
schemagate_databaseschema_failed_attempts{` + of + `, pod="b"} _ _ _ _ 8 8 9 9 10`,
			at: map[int][]string{3: {failing}, 4: {failing}, 5: {failing}, 8: {failing}},
		},
		"failed, and an attempt runs well for long": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `} 3 4 5 6x60
schemagate_databaseschema_migration_start_timestamp_seconds{` + of + `} _ _ _ _ 2400x60
schemagate_databaseschema_condition{` + of + `, type="Ready", status="False", reason="Migrating"} 1x60`,
			at: map[int][]string{4: {failing}, 17: {failing}, 23: nil, 60: nil},
		},
		"failed before this operator began, and an attempt runs": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `} 9x30
schemagate_databaseschema_condition{` + of + `, type="Ready", status="False", reason="Migrating"} 1x30`,
			at: map[int][]string{10: nil, 30: nil},
		},
		"failed, and stalled": {
			series: `schemagate_databaseschema_failed_attempts{` + of + `} 4 5 6 7x20
schemagate_databaseschema_condition{` + of + `, type="Ready", status="False", reason="SQLError"} 1x20
schemagate_databaseschema_condition{` + of + `, type="Stalled", status="True", reason="SQLError"} 1x20`,
			at: map[int][]string{5: {stalled}, 20: {stalled}},
		},
		"gated too long": {
			series: `schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds{` + of + `} 0x20 stale`,
			at: map[int][]string{
				15: nil, 16: nil, 17: {`SchemagatePodsGatedTooLong{name="open-webui", namespace="chat", severity="warning"}`}, 30: nil,
			},
		},
		"gated, pod after pod": {
			series: `schemagate_databaseschema_oldest_waiting_pod_timestamp_seconds{` + of + `} 0x10 600x30`,
			at:     map[int][]string{24: nil, 25: nil, 27: {`SchemagatePodsGatedTooLong{name="open-webui", namespace="chat", severity="warning"}`}},
		},
		"running too long": {
			series: `schemagate_databaseschema_migration_start_timestamp_seconds{` + of + `} 0x40 stale`,
			at: map[int][]string{
				31: nil, 32: {`SchemagateMigrationRunningTooLong{name="open-webui", namespace="chat", severity="warning"}`}, 50: nil,
			},
		},
		"drift": {
			series: `schemagate_databaseschema_drift_differences{` + of + `} 3x20`,
			at:     map[int][]string{4: nil, 5: {`SchemagateDrift{name="open-webui", namespace="chat", severity="warning"}`}},
		},
		"approval": {
			series: `schemagate_databaseschema_approval_pending{` + of + `} 0 1x20`,
			at:     map[int][]string{0: nil, 1: {`SchemagateApprovalPending{name="open-webui", namespace="chat", severity="info"}`}},
		},
		"broken glass": {
			series: `schemagate_databaseschema_gate_disabled{` + of + `} 1x70`,
			at:     map[int][]string{59: nil, 60: {`SchemagateGateDisabled{name="open-webui", namespace="chat", severity="warning"}`}},
		},
		"policies": {
			series: `schemagate_admission_policies_missing{pod="a"} 2x20
schemagate_admission_policies_missing{pod="b"} 2x20`,
			at: map[int][]string{4: nil, 5: {`SchemagatePoliciesMissing{severity="critical"}`}},
		},
		"nobody leads": {
			alone:  true,
			series: `leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="a"} 1 1 1 0x30`,
			at:     map[int][]string{2: nil, 7: nil, 8: {down}},
		},
		"nobody is there, and no pod waits": {
			alone: true,
			series: `kube_pod_status_scheduled{namespace="chat", pod="x", condition="true"} 1x30
kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 0x30
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webui"} 1x30
kube_pod_status_scheduled{namespace="chat", pod="other", condition="false"} 1x30
kube_pod_labels{namespace="chat", pod="other"} 1x30`,
			at: map[int][]string{4: nil, 20: {down}},
		},
		"nobody is there, and pods wait": {
			alone: true,
			series: `kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 1x30
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webui"} 1x30`,
			at: map[int][]string{1: nil, 2: {downAndWaiting}, 5: {downAndWaiting, down}, 20: {downAndWaiting, down}},
		},
		"it went while pods waited": {
			alone: true,
			series: `leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="a"} 1 1 1 stale
schemagate_databaseschema_waiting_pods{` + of + `} 2 2 2 stale`,
			at: map[int][]string{
				4: nil, 5: {downAndWaiting}, 8: {downAndWaiting, down}, 30: {downAndWaiting, down}, 350: {downAndWaiting, down}, 380: {down},
			},
		},
		"it went while pods waited, which go as well": {
			alone: true,
			series: `leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="a"} 1 1 1 stale
schemagate_databaseschema_waiting_pods{` + of + `} 2 2 2 stale
kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 1x10 stale
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webui"} 1x10 stale
kube_pod_status_scheduled{namespace="chat", pod="y", condition="false"} 0x30
kube_pod_labels{namespace="chat", pod="y", label_schemagate_dev_schema="open-webui"} 1x30`,
			at: map[int][]string{8: {downAndWaiting, down}, 20: {down}, 30: {down}},
		},
		"it went after pods had waited for the replica before": {
			alone: true,
			series: `leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="a"} 1 1 1 stale
leader_election_master_status{name="schemagate-leader.schemagate.dev", pod="b"} _ _ _ 1 1 1 stale
schemagate_databaseschema_waiting_pods{` + of + `, pod="a"} 2 2 2 stale
schemagate_databaseschema_waiting_pods{` + of + `, pod="b"} _ _ _ 2 0 0 stale`,
			at: map[int][]string{8: nil, 11: {down}, 30: {down}},
		},
		"pods name what is not there": {
			series: `kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 1x20 stale
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webiu"} 1x20 stale
kube_pod_status_scheduled{namespace="other", pod="x", condition="false"} 1x40
kube_pod_labels{namespace="other", pod="x", label_schemagate_dev_schema="open-webui"} 1x5 stale
kube_pod_status_scheduled{namespace="chat", pod="y", condition="false"} 0x40
kube_pod_labels{namespace="chat", pod="y", label_schemagate_dev_schema="gone"} 1x40
kube_pod_status_scheduled{namespace="chat", pod="z", condition="false"} 1x40
kube_pod_labels{namespace="chat", pod="z"} 1x40
schemagate_databaseschema_info{` + of + `, bundle="open-webui"} 1x40`,
			at: map[int][]string{14: nil, 15: {`SchemagatePodWithoutSchema{name="open-webiu", namespace="chat", severity="warning"}`}, 30: nil},
		},
		"pods name what is in another namespace": {
			series: `kube_pod_status_scheduled{namespace="other", pod="x", condition="false"} 1x20
kube_pod_labels{namespace="other", pod="x", label_schemagate_dev_schema="open-webui"} 1x20
schemagate_databaseschema_info{` + of + `, bundle="open-webui"} 1x20`,
			at: map[int][]string{15: {`SchemagatePodWithoutSchema{name="open-webui", namespace="other", severity="warning"}`}},
		},
		"there is no schema at all": {
			series: `kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 1x20
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webui"} 1x20`,
			at: map[int][]string{15: {`SchemagatePodWithoutSchema{name="open-webui", namespace="chat", severity="warning"}`}},
		},
		"pods wait for one that is there": {
			series: `kube_pod_status_scheduled{namespace="chat", pod="x", condition="false"} 1x30
kube_pod_labels{namespace="chat", pod="x", label_schemagate_dev_schema="open-webui"} 1x30
schemagate_databaseschema_info{` + of + `, bundle="open-webui"} 1x30
schemagate_databaseschema_waiting_pods{` + of + `} 2x30`,
			at: map[int][]string{30: nil},
		},
	}
	fired := map[string]bool{}
	for name, tc := range tests {
		for _, alerts := range tc.at {
			for _, alert := range alerts {
				rule, _, _ := strings.Cut(alert, "{")
				fired[rule] = true
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			series := tc.series
			if !tc.alone {
				series = leads + series
			}
			evaluate(t, series, tc.at)
		})
	}
	for _, rule := range loadRules(t) {
		if !fired[rule.Alert] {
			t.Errorf("no case has the alert %s fire", rule.Alert)
		}
	}
}

func evaluate(t *testing.T, series string, at map[int][]string) {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  ")+"\n")
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 100000)
	query := rules.EngineQueryFunc(engine, storage)
	var alerts []*rules.AlertingRule
	for _, rule := range loadRules(t) {
		expr, err := promql.ParseExpr(rule.Expr)
		if err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, rules.NewAlertingRule(rule.Alert, expr, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
			labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler)))
	}
	for minute := range slices.Max(slices.Collect(maps.Keys(at))) + 1 {
		var firing []string
		for _, alert := range alerts {
			if _, err := alert.Eval(t.Context(), 0, time.Unix(int64(60*minute), 0), query, nil, 0); err != nil {
				t.Fatalf("%s: %v", alert.Name(), err)
			}
			for _, active := range alert.ActiveAlerts() {
				checkAnnotations(t, alert.Name(), active)
				if active.State == rules.StateFiring {
					own := labels.NewBuilder(active.Labels).Del(labels.AlertName).Labels()
					firing = append(firing, alert.Name()+own.String())
				}
			}
		}
		want, ok := at[minute]
		if !ok {
			continue
		}
		slices.Sort(firing)
		want = slices.Sorted(slices.Values(want))
		if diff := cmp.Diff(want, firing); diff != "" && len(want)+len(firing) > 0 {
			t.Errorf("in minute %d (-want +firing):\n%s", minute, diff)
		}
	}
}

// checkAnnotations: what a person reads is complete, and leads somewhere.
func checkAnnotations(t *testing.T, name string, alert *rules.Alert) {
	t.Helper()
	for _, annotation := range []string{"summary", "description", "runbook_url"} {
		text := alert.Annotations.Get(annotation)
		if text == "" || strings.Contains(text, "<error") || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
			t.Errorf("%s: the %s is %q", name, annotation, text)
		}
	}
	_, anchor, _ := strings.Cut(alert.Annotations.Get("runbook_url"), "/docs/runbooks#")
	// The title is an anchor, too: that of the index.
	if !regexp.MustCompile(`(?im)^##? `+regexp.QuoteMeta(anchor)+`$`).MatchString(read(t, root, "docs", "runbooks", "README.md")) || anchor == "" {
		t.Errorf("%s leads to %q, which is no runbook", name, alert.Annotations.Get("runbook_url"))
	}
}

// TestSeverities: those who are woken up, those who look in the morning, and those
// who want to know.
func TestSeverities(t *testing.T) {
	t.Parallel()
	for _, rule := range loadRules(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("the severity of %s is %q", rule.Alert, rule.Labels["severity"])
		}
		if !strings.HasPrefix(rule.Alert, "Schemagate") {
			t.Errorf("%s does not say whose it is", rule.Alert)
		}
	}
}
