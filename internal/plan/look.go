package plan

import (
	"slices"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// maxDifferences is how many differences the status lists.
const maxDifferences = 16

// look is a verification whose time has come; nil when there is none.
func (d *decider) look(applied int) *Work {
	if applied == 0 || d.suspended() || d.untilLook() != 0 || d.spec.Policy.VerifyIntervalSeconds == 0 {
		return nil
	}
	return d.verification(applied)
}

// untilLook is how long it takes until the next verification is due; 0 when it
// is, or when none ever will be.
func (d *decider) untilLook() time.Duration {
	interval := time.Duration(d.spec.Policy.VerifyIntervalSeconds) * time.Second
	if interval == 0 || d.status.VerifiedTime == nil {
		return 0
	}
	return min(max(0, interval-d.Now.Sub(d.status.VerifiedTime.Time)), interval)
}

// completeLook keeps a schema Ready while nothing but a look at its database is
// under way, as long as that succeeds.
func (d *decider) completeLook(decision *Decision) {
	a := d.status.Attempt
	if before := d.Schema.Status.Attempt; decision.Action == Record && before.From == nil {
		return // It was not known what the look would be at.
	}
	if a.From == nil || *a.From != a.To || a.Failures != nil || decision.Verdict != Progressing || decision.Reason != v1alpha1.ReasonMigrating {
		return
	}
	switch decision.Action {
	case Prepare, StartJob, AwaitJob, Record:
	case Idle, Wait, Discard, Help, Drain, RequireApproval, Stall, Suspend:
		return
	}
	if int(d.status.AppliedRevision.Version) != int(a.To) || d.target > 0 && !d.served() {
		return
	}
	ready := d.idle()
	decision.Verdict, decision.Reason, decision.Message = ready.Verdict, ready.Reason, ready.Message+" "+decision.Message
}

// noticeDrift takes over what a Job has compared.
func (d *decider) noticeDrift(res *result.Result) {
	d.status.Drift = v1alpha1.DriftStatus{}
	if res.Drift == nil || res.Drift.Count <= 0 || d.spec.Policy.Drift == v1alpha1.DriftIgnore {
		return
	}
	d.status.Drift.Count = number(res.Drift.Count)
	for _, difference := range res.Drift.Differences {
		if difference != "" && len(d.status.Drift.Differences) < maxDifferences {
			d.status.Drift.Differences = append(d.status.Drift.Differences, cut(difference, 256))
		}
	}
}

// maxTables is how many tables the status has the sizes of.
const maxTables = 8

// noticeTables takes over how large tables are.
func (d *decider) noticeTables(res *result.Result) {
	d.status.Tables = nil
	for _, table := range res.Tables {
		known := slices.ContainsFunc(d.status.Tables, func(t v1alpha1.TableStatus) bool { return t.Name == table.Name })
		if known || table.Name == "" || len(table.Name) > 63 || table.Rows < 0 || table.Bytes < 0 || len(d.status.Tables) == maxTables {
			continue // no Job of ours says so
		}
		d.status.Tables = append(d.status.Tables, v1alpha1.TableStatus{Name: table.Name, Rows: &table.Rows, Bytes: &table.Bytes})
	}
}
