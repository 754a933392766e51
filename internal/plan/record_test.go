package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/plan"
)

// TestRecord: what each end of a fencing migration from 62 to 66 leaves, and
// what is decided next, when nothing else has changed.
func TestRecord(t *testing.T) {
	t.Parallel()
	const (
		retrying = "1: 62-66 Retrying"
		failedAt = "1: 62-66 Failed"
	)
	tests := map[string]struct {
		result *result.Result
		record want
		next   want
	}{
		"done": {
			done(62, 66),
			want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "1: 62-66 Succeeded"},
			want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", "1: 62-66 Succeeded"},
		},
		"locked before anything": {
			failed(result.Locked, result.ReasonTableLocked, 62, 62),
			want{plan.Record, plan.Progressing, "TableLocked", "Held for a plan", retrying},
			want{plan.Wait, plan.Progressing, "TableLocked", "Held for a plan", retrying},
		},
		"never reached": {
			failed(result.Transient, result.ReasonUnreachable, 0, 0),
			want{plan.Record, plan.Progressing, "Unreachable", "Held for a plan", retrying},
			want{plan.Wait, plan.Progressing, "Unreachable", "Held for a plan", retrying},
		},
		// Whoever owns it may have brought it anywhere: nothing may start on what was known.
		"owned by another": {
			refused(result.ReasonDatabaseOwned, 0),
			want{plan.Record, plan.Stalled, "DatabaseOwned", "Held", failedAt},
			want{plan.Stall, plan.Stalled, "DatabaseOwned", "Held", failedAt},
		},
		"to be adopted, and must not": {
			refused(result.ReasonAdoptionForbidden, 0),
			want{plan.Record, plan.Stalled, "AdoptionForbidden", "Held", failedAt},
			want{plan.Stall, plan.Stalled, "AdoptionForbidden", "Held", failedAt},
		},
		"at no revision": {
			failed(result.Permanent, result.ReasonCatalogDiffers, 0, 0),
			want{plan.Record, plan.Stalled, "CatalogDiffers", "Held", failedAt},
			want{plan.Stall, plan.Stalled, "CatalogDiffers", "Held", failedAt},
		},
		"a reason that is none": {
			failed(result.Permanent, "no reason: at all", 0, 0),
			want{plan.Record, plan.Stalled, "Internal", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "Internal", "Open 59-62", failedAt},
		},
		"interrupted on the way": {
			failed(result.Transient, result.ReasonInterrupted, 62, 64),
			// The next revision may have been committed all the same.
			want{plan.Record, plan.Progressing, "Interrupted", "Held for a plan", "1: 62-66 Lost"},
			want{plan.Wait, plan.Progressing, "Interrupted", "Held for a plan", "1: 62-66 Lost"},
		},
		"lost touch": {
			failed(result.Transient, result.ReasonUnreachable, 62, 62),
			want{plan.Record, plan.Progressing, "Unreachable", "Held for a plan", "1: 62-66 Lost"},
			want{plan.Wait, plan.Progressing, "Unreachable", "Held for a plan", "1: 62-66 Lost"},
		},
		"locked on the way": {
			failed(result.Locked, result.ReasonTableLocked, 62, 64),
			want{plan.Record, plan.Progressing, "TableLocked", "Held for a plan", retrying},
			// What is left of the way is additive.
			want{plan.Wait, plan.Progressing, "TableLocked", "Open 63-64", retrying},
		},
		"failed on the way": {
			failed(result.Permanent, result.ReasonSQLError, 62, 64),
			want{plan.Record, plan.Stalled, "SQLError", "Open 63-64", failedAt},
			want{plan.Stall, plan.Stalled, "SQLError", "Open 63-64", failedAt},
		},
		"failed at once": {
			failed(result.Permanent, result.ReasonSQLError, 62, 62),
			want{plan.Record, plan.Stalled, "SQLError", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "SQLError", "Open 59-62", failedAt},
		},
		"refused by a check": {
			refused(result.ReasonPreflight, 62),
			want{plan.Record, plan.Stalled, "PreflightFailed", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "PreflightFailed", "Open 59-62", failedAt},
		},
		"refused for what was known": {
			refused(result.ReasonDestructive, 62),
			want{plan.Record, plan.Stalled, "DestructiveRevision", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "DestructiveRevision", "Open 59-62", failedAt},
		},
		"refused with news": {
			refused(result.ReasonUnexpectedRevision, 60),
			want{plan.Record, plan.Progressing, "Migrating", "Open 59-60", "1: 62-66 Succeeded"},
			want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "2: 60-66 Pending"},
		},
		"emptied": {
			failed(result.Refused, result.ReasonUnexpectedRevision, 0, 0),
			want{plan.Record, plan.Progressing, "Migrating", "Held", "1: 62-66 Succeeded"},
			want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "2: ?-66 Pending"},
		},
		"newer than what is known": {
			failed(result.Permanent, result.ReasonAheadOfBundle, 0, 0),
			want{plan.Record, plan.Stalled, "AheadOfBundle", "Held", failedAt},
			want{plan.Stall, plan.Stalled, "AheadOfBundle", "Held", failedAt},
		},
		"an option that is wrong": {
			failed(result.Usage, result.ReasonInvalidOption, 0, 0),
			want{plan.Record, plan.Stalled, "InvalidOption", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "InvalidOption", "Open 59-62", failedAt},
		},
		"a Secret that is wrong": {
			failed(result.Usage, result.ReasonInvalidURL, 0, 0),
			want{plan.Record, plan.Progressing, "InvalidURL", "Held for a plan", retrying},
			want{plan.Wait, plan.Progressing, "InvalidURL", "Held for a plan", retrying},
		},
		"an outcome that is not known": {
			failed("strange", "", 62, 62),
			want{plan.Record, plan.Stalled, "Internal", "Open 59-62", failedAt},
			want{plan.Stall, plan.Stalled, "Internal", "Open 59-62", failedAt},
		},
		"nothing said": {
			nil,
			want{plan.Record, plan.Progressing, "JobLost", "Held for a plan", "1: 62-66 Lost"},
			want{plan.Wait, plan.Progressing, "JobLost", "Held for a plan", "1: 62-66 Lost"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := given().destroy().applied(62).gated("v0.10.0").prepared().ends(tt.result)
			c.turn().wants(t, tt.record)
			c.turn().wants(t, tt.next)
		})
	}
}

// TestSuspendedTooLate: what a Job has done is recorded though nothing new is
// to begin.
func TestSuspendedTooLate(t *testing.T) {
	t.Parallel()
	c := given().destroy().applied(62).gated("v0.10.0").prepared().ends(done(62, 66)).suspend(true)
	follow(
		t, c,
		leg{"ended", nil, want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "1: 62-66 Succeeded"}},
		leg{"at rest", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", "1: 62-66 Succeeded"}},
	)
}

// TestLearned: what else of a result is kept.
func TestLearned(t *testing.T) {
	t.Parallel()
	c := given().applied(60).gated("v0.9.6").turn().after(time.Minute).runs()
	c.Job.StartTime = &metav1.Time{Time: c.Now.Add(-90 * time.Second)}
	begun := *c.Job.StartTime
	c.ends(done(60, 62))
	c.Job.StartTime = &begun
	status := c.turn().last.Status
	seconds, from, to := int32(90), int32(60), int32(62)
	if !status.VerifiedTime.Time.Equal(c.Now) || status.AppliedRevision.ID != "461111b60977" || status.AppliedRevision.AppVersion != "0.9.6" {
		t.Errorf("seen at %s: %+v", status.VerifiedTime, status.AppliedRevision)
	}
	if diff := cmp.Diff([]v1alpha1.HistoryEntry{{
		From: &from, To: &to, Direction: v1alpha1.DirectionUp, StartTime: &begun, DurationSeconds: &seconds,
		Job: status.Attempt.Job, Result: "Succeeded",
	}}, status.History); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	if status.Serves.AppFrom != "0.9.3" || status.Serves.AppBefore != "0.10.0" {
		t.Errorf("serves %+v", status.Serves)
	}
}

// TestHistory: the history is bounded, and a failure like the last one takes its
// place.
func TestHistory(t *testing.T) {
	t.Parallel()
	c := given().applied(60).gated("v0.9.6")
	for range 30 {
		c.noJob().turn().ends(failed(result.Transient, result.ReasonUnreachable, 0, 0)).turn().after(time.Hour)
	}
	if n := len(c.Schema.Status.History); n != 1 {
		t.Errorf("%d entries after 30 failures of a kind", n)
	}
	for i := range 30 {
		reason := []result.Reason{result.ReasonUnreachable, result.ReasonServerBusy}[i%2]
		c.noJob().turn().ends(failed(result.Transient, reason, 60, 60)).turn().after(time.Hour)
	}
	if n := len(c.Schema.Status.History); n != 10 {
		t.Errorf("%d entries, want 10", n)
	}
}

// TestBackoff: pauses double up to two minutes, and begin anew with another
// plan and when a person asks.
func TestBackoff(t *testing.T) {
	t.Parallel()
	pauses := []int{5, 10, 20, 40, 80, 120, 120}
	for i, want := range pauses {
		if got := plan.Backoff(i + 1); got != time.Duration(want)*time.Second {
			t.Errorf("Backoff(%d) = %s, want %d seconds", i+1, got, want)
		}
	}
	if got := plan.Backoff(1 << 30); got != 2*time.Minute {
		t.Errorf("Backoff of very many = %s", got)
	}
	c := given().applied(60).gated("v0.9.6")
	fail := func() time.Duration {
		c.noJob().turn().ends(failed(result.Transient, result.ReasonUnreachable, 0, 0)).turn()
		c.noJob().turn()
		if c.last.Action != plan.Wait {
			t.Fatalf("the decision is %+v", seen(c.last))
		}
		pause := c.last.After
		c.after(pause)
		return pause
	}
	for i, want := range pauses {
		if got := fail(); got != time.Duration(want)*time.Second {
			t.Errorf("pause %d is %s, want %d seconds", i+1, got, want)
		}
	}
	c.annotate(v1alpha1.AnnotationRetry, "now")
	if got := fail(); got != 5*time.Second {
		t.Errorf("the pause is %s after somebody asked", got)
	}
	if got := fail(); got != 10*time.Second {
		t.Errorf("the pause is %s: one annotation counts once", got)
	}
	c.spec(func(*v1alpha1.DatabaseSchemaSpec) {})
	if got := fail(); got != 5*time.Second {
		t.Errorf("the pause is %s after another spec", got)
	}
}

// TestFailed: a failure that needs a person is not tried again before something
// changes that may make a difference.
func TestFailed(t *testing.T) {
	t.Parallel()
	stalled := want{plan.Stall, plan.Stalled, "SQLError", "Open 59-60", "1: 60-62 Failed"}
	again := want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "2: 60-62 Pending"}
	tests := map[string]struct {
		what func(c *course)
		want want
	}{
		"nothing":             {func(*course) {}, stalled},
		"time":                {func(c *course) { c.after(24 * time.Hour) }, stalled},
		"more pods":           {func(c *course) { c.gated("v0.9.6", "v0.9.6", "main") }, stalled},
		"the Job has expired": {func(c *course) { c.noJob() }, stalled},
		"an approval":         {func(c *course) { c.annotate(v1alpha1.AnnotationApprove, "x") }, stalled},
		"the spec":            {func(c *course) { c.spec(func(*v1alpha1.DatabaseSchemaSpec) {}) }, again},
		"a retry":             {func(c *course) { c.annotate(v1alpha1.AnnotationRetry, strings.Repeat("x", 300)) }, again},
		"a look":              {func(c *course) { c.annotate(v1alpha1.AnnotationVerify, "x") }, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "2: 60-60 Pending"}},
		"the target":          {func(c *course) { c.gated("v0.10.0"); c.Schema.Spec.Policy.Destructive = v1alpha1.DestructiveAllow }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "2: 60-66 Pending"}},
		"the database":        {func(c *course) { c.Source = "other" }, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "2: ?-62 Pending"}},
		"nobody needs it":     {func(c *course) { c.gated() }, want{plan.Idle, plan.Ready, "NoWorkload", "Open 59-60", "1: 60-62 Failed"}},
		"the bundle": {func(c *course) {
			c.Bundle = simBundle()
			c.gated("1.7.0")
			c.Schema.Status.AppliedRevision.Version = 6
			c.Schema.Status.Birth = v1alpha1.BirthAlembic
		}, want{plan.Prepare, plan.Progressing, "Migrating", "Open 5-6", "2: 6-7 Pending"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := given().applied(60).gated("v0.9.6").turn().ends(failed(result.Permanent, result.ReasonSQLError, 60, 60)).turn()
			tt.what(c)
			c.turn().wants(t, tt.want)
			if tt.want == again && (c.last.Status.Attempt.Failures != nil || len(c.last.Status.LastHandledRetry) > 128) {
				t.Errorf("the attempt is %+v, the retry handled %q", c.last.Status.Attempt, c.last.Status.LastHandledRetry)
			}
		})
	}
}

// TestDeadline: a Job that ran for too long may have done anything.
func TestDeadline(t *testing.T) {
	t.Parallel()
	overdue := func(c *course) {
		c.ends(nil)
		c.Job.FailureReason = "DeadlineExceeded"
	}
	follow(
		t, given().destroy().applied(62).gated("v0.10.0").prepared(),
		leg{"past", overdue, want{plan.Record, plan.Stalled, "DeadlineExceeded", "Held for a plan", "1: 62-66 Failed"}},
		leg{"a person has to act", noJob, want{plan.Stall, plan.Stalled, "DeadlineExceeded", "Held for a plan", "1: 62-66 Failed"}},
		leg{"raised", func(c *course) {
			c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Execution.ActiveDeadlineSeconds = 600 })
		}, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-66 Pending"}},
	)
	follow(
		t, given().destroy().applied(62).gated("v0.10.0").prepared(),
		leg{"past", overdue, want{plan.Record, plan.Stalled, "DeadlineExceeded", "Held for a plan", "1: 62-66 Failed"}},
		leg{"nobody needs it: a look", func(c *course) { c.noJob().gated() }, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-62 Pending"}},
		leg{"it has been done", ends(refused(result.ReasonDowngrade, 66)), want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "2: 66-62 Succeeded"}},
		leg{"at rest", nil, want{plan.Idle, plan.Ready, "NoWorkload", "Open 63-66", "2: 66-62 Succeeded"}},
	)
}

// TestExplain: every reason has words of its own, and what is known is added.
func TestExplain(t *testing.T) {
	t.Parallel()
	res := failed(result.Permanent, result.ReasonSQLError, 62, 62)
	res.Failure = &result.Failure{
		Revision: 63, Direction: "up", Line: 7, SQLState: "23505", Table: "user", Constraint: "uq",
		Checks:   []result.Check{{Name: "user-email", Revision: 73, Rows: 3}, {Name: "other", Revision: 73, Rows: 4}},
		Blockers: []result.Blocker{{Application: "psql", Count: 2}}, Found: []string{"a", "b"},
	}
	got := plan.Explain(*res, openWebUI(), bundle.Postgres)
	for _, want := range []string{
		"A statement of a revision failed", "Revision 63 (3ff2c63645b8), up file, line 7.", "SQLSTATE 23505.", "Table user.", "Constraint uq.",
		"Revision 73 (f0bd01a18a3d): 3 ", "Check other of revision 73 finds 4 rows.", `2 sessions of "psql"`, "Found: a; b.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	if got := plan.Explain(result.Result{Outcome: "odd", Reason: "Odd"}, openWebUI(), bundle.Postgres); !strings.Contains(got, `"Odd"`) {
		t.Errorf("an odd reason is explained as %q", got)
	}
	// The query that lists the rows is that of the engine, whole, or left out.
	revision, _ := openWebUI().Revision(25)
	check := revision.Preflight[0]
	res.Failure = &result.Failure{Checks: []result.Check{{Name: check.Name, Revision: 25, Rows: 2}}}
	query := strings.TrimSpace(check.Query[bundle.Postgres])
	if got := plan.Explain(*res, openWebUI(), bundle.Postgres); query == "" || !strings.HasSuffix(got, check.Name+": "+query) {
		t.Errorf("%q does not end with the query %q", got, query)
	}
	if got := plan.Explain(*res, openWebUI(), bundle.SQLite); strings.Contains(got, "To see") {
		t.Errorf("%q has a query of another engine", got)
	}
	for range 8 {
		res.Failure.Found = append(res.Failure.Found, strings.Repeat("x", 100))
	}
	if got := plan.Explain(*res, openWebUI(), bundle.Postgres); strings.Contains(got, "To see") {
		t.Errorf("%q is too long for the query", got)
	}
	c := given().applied(60).gated("v0.9.6").turn()
	res.Failure.Found = nil
	for i := range 200 {
		res.Failure.Found = append(res.Failure.Found, fmt.Sprintf("tÄble %d", i))
	}
	if n := len(c.ends(res).turn().last.Status.Attempt.Message); n > 1000 || n < 990 {
		t.Errorf("the message is %d bytes long", n)
	}
}
