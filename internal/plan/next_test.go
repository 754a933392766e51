package plan_test

import (
	"testing"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
)

// leg is a piece of a course: what happens, and what is decided then.
type leg struct {
	name string
	what func(c *course)
	want want
}

// follow goes through a course. What is decided at the end of one leg is
// recorded when the next begins.
func follow(t *testing.T, c *course, legs ...leg) {
	t.Helper()
	for _, l := range legs {
		if l.what != nil {
			l.what(c)
		}
		c.turn()
		if got := seen(c.last); got != l.want {
			t.Fatalf("%s: the decision is\n%+v, want\n%+v\n%s", l.name, got, l.want, c.last.Message)
		}
	}
}

func hold(c *course)  { c.stamped().with(func(c *course) { c.Fresh = true }).after(plan.Settle) }
func job(c *course)   { c.job() }
func runs(c *course)  { c.runs() }
func noJob(c *course) { c.noJob() }

func ends(res *result.Result) func(*course) { return func(c *course) { c.ends(res) } }

// TestFirstLook: a database that nobody has looked at is looked at when a pod
// needs it, and migrated at once where that can break nothing.
func TestFirstLook(t *testing.T) {
	t.Parallel()
	begin := leg{"a pod comes", func(c *course) { c.gated("v0.9.6") }, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "1: ?-62 Pending"}}
	follow(
		t, given(),
		leg{"no pods", nil, want{plan.Idle, plan.Ready, "NoWorkload", "Held", ""}},
		begin,
		leg{"recorded", nil, begin.want},
		leg{"the Job is there", job, want{plan.StartJob, plan.Progressing, "Inspecting", "Held", "1: ?-62 Pending"}},
		leg{"the Job runs", runs, want{plan.AwaitJob, plan.Progressing, "Inspecting", "Held", "1: ?-62 Pending"}},
		leg{"the Job has ended", ends(done(60, 62)), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}},
		leg{"at rest", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "1: 60-62 Succeeded"}},
	)
	follow(
		t, given(), begin,
		leg{"fencing revisions are pending", ends(refused(result.ReasonFencing, 58)), want{plan.Record, plan.Progressing, "Migrating", "Open 57-58", "1: 58-62 Succeeded"}},
		leg{"the way is known", noJob, want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 57-58", "1: 58-62 Succeeded"}},
	)
	follow(
		t, given(), begin,
		leg{"the database is newer", ends(refused(result.ReasonDowngrade, 76)), want{plan.Record, plan.Progressing, "Migrating", "Open 76-76", "1: 76-62 Succeeded"}},
		leg{"and does not serve", nil, want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 76-76", "1: 76-62 Succeeded"}},
	)
	follow(
		t, given(), begin,
		leg{"a result that cannot be", ends(done(60, 99)), want{plan.Record, plan.Stalled, "Internal", "Held", "1: ?-62 Failed"}},
		leg{"a person has to act", nil, want{plan.Stall, plan.Stalled, "Internal", "Held", "1: ?-62 Failed"}},
	)
	adopted := done(62, 62)
	adopted.AdoptedAt = 62
	c := given()
	follow(t, c, begin, leg{"adopted", ends(adopted), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 62-62 Succeeded"}})
	if got := c.Schema.Status.AdoptedFrom; got != "alembic 461111b60977" {
		t.Errorf("adopted from %q", got)
	}
}

// TestNobodyNeedsIt: a look that nobody needs any more is given up, and nothing
// is looked for in its place.
func TestNobodyNeedsIt(t *testing.T) {
	t.Parallel()
	follow(
		t, given().gated("v0.9.6"),
		leg{"begun", nil, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "1: ?-62 Pending"}},
		leg{"the pod has gone", func(c *course) { c.job().gated() }, want{plan.Discard, plan.Progressing, "CleaningUp", "Held", "1: ?-62 Abandoned"}},
		leg{"its Job is a stray", nil, want{plan.Discard, plan.Progressing, "CleaningUp", "Held", "1: ?-62 Abandoned"}},
		leg{"and is gone", noJob, want{plan.Idle, plan.Ready, "NoWorkload", "Held", "1: ?-62 Abandoned"}},
	)
}

// TestAdditive: additive revisions are applied while pods run and start.
func TestAdditive(t *testing.T) {
	t.Parallel()
	follow(
		t, given().applied(60).running("v0.9.3").gated("v0.9.6"),
		leg{"decided", nil, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"}},
		leg{"created", job, want{plan.StartJob, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"}},
		leg{"running", runs, want{plan.AwaitJob, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"}},
		leg{"more pods do not matter", func(c *course) { c.gated("v0.9.6", "v0.11.1") }, want{plan.AwaitJob, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"}},
		leg{"ended", func(c *course) { c.gated("v0.9.6").ends(done(60, 62)) }, want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}},
		leg{"the old pods still run", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "1: 60-62 Succeeded"}},
		leg{"rolled back", func(c *course) { c.gated("v0.9.3").running() }, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "1: 60-62 Succeeded"}},
	)
}

// TestFencing: before a fencing revision pods are held, those that wait are
// told so, and the last look is at the API server itself.
func TestFencing(t *testing.T) {
	t.Parallel()
	const attempt = "1: 62-66 Pending"
	held := want{plan.Wait, plan.Progressing, "Holding", "Held for a plan", attempt}
	follow(
		t, given().destroy().applied(62).running("v0.9.6").gated("v0.10.0"),
		leg{"pods run", nil, want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", attempt}},
		leg{"created", job, want{plan.Drain, plan.Progressing, "Draining", "Held for a plan", attempt}},
		leg{"a terminating pod runs, too", func(c *course) { c.Pods[0].Terminating = true }, want{plan.Drain, plan.Progressing, "Draining", "Held for a plan", attempt}},
		leg{"stopped", func(c *course) { c.running() }, want{plan.Drain, plan.Progressing, "Holding", "Held for a plan", attempt}},
		leg{"told", func(c *course) { c.stamped().with(func(c *course) { c.Fresh = true }).after(plan.Settle - 1) }, held},
		leg{"settled, by the cache", func(c *course) { c.after(1).with(func(c *course) { c.Fresh = false }) }, held},
		leg{"another pod waits", func(c *course) { c.gated("v0.10.0", "v0.10.0"); c.Fresh = true }, want{plan.Drain, plan.Progressing, "Holding", "Held for a plan", attempt}},
		leg{"told, too", func(c *course) { c.stamped() }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"started", runs, want{plan.AwaitJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"ended", ends(done(62, 66)), want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "1: 62-66 Succeeded"}},
		leg{"at rest", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", "1: 62-66 Succeeded"}},
	)
}

// TestHeldInVain: a plan that cannot begin ends its hold, but only after a look
// at the database: a Job that is not there may have been.
func TestHeldInVain(t *testing.T) {
	t.Parallel()
	prepared := func() *course { return given().destroy().applied(62).gated("v0.10.0").prepared() }
	lost := want{plan.Discard, plan.Progressing, "CleaningUp", "Held for a plan", "1: 62-66 Lost"}
	tests := map[string]struct {
		what func(c *course)
		want want
	}{
		"a pod runs after all":        {func(c *course) { c.running("v0.9.6") }, want{plan.Drain, plan.Progressing, "Draining", "Held for a plan", "1: 62-66 Pending"}},
		"nobody needs it":             {func(c *course) { c.gated() }, lost},
		"the target moves":            {func(c *course) { c.gated("v0.11.0") }, lost},
		"a tag is not known":          {func(c *course) { c.gated("main") }, lost},
		"the Job was made for more":   {func(c *course) { c.Job.Decision = "other" }, lost},
		"an approval is needed":       {func(c *course) { c.Schema.Spec.Policy.Destructive = "" }, lost},
		"an older schema is there":    {func(c *course) { c.Elder = "default/older" }, lost},
		"the Job is gone":             {func(c *course) { c.noJob().running("v0.9.6") }, want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 62-66 Pending"}},
		"the Job is being deleted":    {func(c *course) { c.Job.Deleting = true; c.gated() }, lost},
		"suspended":                   {func(c *course) { c.suspend(true) }, want{plan.Suspend, plan.Progressing, "Suspended", "Held for a plan", "1: 62-66 Lost"}},
		"another database":            {func(c *course) { c.Source = "other" }, want{plan.Discard, plan.Progressing, "CleaningUp", "Held", "1: 62-66 Lost"}},
		"another database, no Job":    {func(c *course) { c.Source = "other"; c.noJob() }, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "2: ?-66 Pending"}},
		"the schema is being deleted": {func(c *course) { c.Schema.DeletionTimestamp = c.Schema.Status.VerifiedTime }, want{plan.Idle, plan.Progressing, "CleaningUp", "Held for a plan", "1: 62-66 Pending"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepared()
			tt.what(c)
			c.turn().wants(t, tt.want)
		})
	}
	follow(
		t, prepared(),
		leg{"the gate is opened", func(c *course) {
			c.running("v0.9.6").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Gate = v1alpha1.GateDisabled })
		}, lost},
		leg{"the Job is deleted", nil, lost},
		leg{"a look", noJob, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-66 Pending"}},
		leg{"needs no hold of its own", job, want{plan.StartJob, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-66 Pending"}},
		leg{"it has found out", ends(refused(result.ReasonFencing, 62)), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "2: 62-66 Succeeded"}},
		leg{"pods run", nil, want{plan.Stall, plan.Stalled, "FencingRevisionsPending", "Open 59-62", "2: 62-66 Succeeded"}},
	)
}

// TestJobGone: a Job that is deleted by hand or expires before its end was
// recorded is made again, and does the same again.
func TestJobGone(t *testing.T) {
	t.Parallel()
	const attempt = "1: 62-66 Pending"
	cleaning := want{plan.Wait, plan.Progressing, "CleaningUp", "Held for a plan", attempt}
	follow(
		t, given().destroy().applied(62).gated("v0.10.0").prepared().stamped(),
		leg{"running", runs, want{plan.AwaitJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"being deleted", func(c *course) { c.Job.Deleting = true }, cleaning},
		leg{"its pod is left", func(c *course) { c.noJob(); c.PodsLeft = 1 }, cleaning},
		leg{"gone", func(c *course) { c.PodsLeft = 0 }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"made again", func(c *course) { c.job(); hold(c) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"a pod is left after all", func(c *course) { c.PodsLeft = 1 }, cleaning},
	)
	// It may have gone all the way: pods of before must not start on what it left.
	follow(
		t, given().destroy().applied(62).gated("v0.10.0").prepared(),
		leg{"expired, and nobody needs it", func(c *course) { c.noJob().gated("v0.9.6") }, want{plan.Discard, plan.Progressing, "CleaningUp", "Held for a plan", "1: 62-66 Lost"}},
		leg{"a look", nil, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-62 Pending"}},
		leg{"it was done", ends(refused(result.ReasonDowngrade, 66)), want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "2: 66-62 Succeeded"}},
	)
}

// TestSpecCorrected: a Job that has not run is made again with the settings of now; one
// that runs goes on.
func TestSpecCorrected(t *testing.T) {
	t.Parallel()
	correct := func(c *course) { c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.Drift = v1alpha1.DriftBlock }) }
	noSecret := func(c *course) {
		c.runs().Job.Waiting = &migrationjob.Waiting{Reason: migrationjob.SecretMissing, Message: "no Secret"}
	}
	const attempt = "1: 60-62 Pending"
	begun := func() *course { return given().applied(60).gated("v0.9.6").prepared() }
	follow(
		t, begun(),
		leg{"not started", correct, want{plan.Discard, plan.Progressing, "CleaningUp", "Open 59-60", "1: 60-62 Abandoned"}},
		leg{"its Job is gone", noJob, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "2: 60-62 Pending"}},
	)
	follow(
		t, given().applied(60).gated("v0.9.6").turn(),
		leg{"not made", correct, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", attempt}},
		leg{"made", job, want{plan.StartJob, plan.Progressing, "Migrating", "Open 59-60", attempt}},
	)
	follow(
		t, begun(),
		leg{"its pod cannot start", noSecret, want{plan.AwaitJob, plan.Progressing, "SecretMissing", "Open 59-60", attempt}},
		leg{"corrected", correct, want{plan.Discard, plan.Progressing, "CleaningUp", "Open 59-60", "1: 60-62 Lost"}},
		leg{"its Job is gone", noJob, want{plan.Prepare, plan.Progressing, "Inspecting", "Open 59-60", "2: ?-62 Pending"}},
	)
	follow(
		t, begun(),
		leg{"runs", runs, want{plan.AwaitJob, plan.Progressing, "Migrating", "Open 59-60", attempt}},
		leg{"corrected", correct, want{plan.AwaitJob, plan.Progressing, "Migrating", "Open 59-60", attempt}},
	)
}

// TestElderGone: what was recorded before an older schema had the database is not so
// any more.
func TestElderGone(t *testing.T) {
	t.Parallel()
	follow(
		t, given().applied(66).gated("v0.10.0"),
		leg{"alone", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", ""}},
		leg{"an older schema refers to it", func(c *course) { c.Elder = "older" }, want{plan.Stall, plan.Stalled, "DatabaseShared", "Held", ""}},
		leg{"and is deleted", func(c *course) { c.Elder = "" }, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "1: ?-66 Pending"}},
	)
}

// TestAheadOfBundle: an operator that is older than the one before says so.
func TestAheadOfBundle(t *testing.T) {
	t.Parallel()
	c := given().downgrade(v1alpha1.DowngradeAllow).applied(76).gated("v0.11.0")
	c.Schema.Status.AppliedRevision.Version = 80
	c.turn().wants(t, want{plan.Stall, plan.Stalled, "AheadOfBundle", "Held", ""})
}

// TestAwait: while the Job runs, the reason says what it waits for.
func TestAwait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		waiting *migrationjob.Waiting
		reason  string
	}{
		"running":   {nil, "Migrating"},
		"starting":  {&migrationjob.Waiting{Reason: migrationjob.ContainerCreating}, "Migrating"},
		"no image":  {&migrationjob.Waiting{Reason: "ImagePullBackOff", Message: "no such image"}, "ImagePullBackOff"},
		"no Secret": {&migrationjob.Waiting{Reason: "CreateContainerConfigError", Message: "no Secret"}, "CreateContainerConfigError"},
		"no node":   {&migrationjob.Waiting{Reason: "Unschedulable", Message: "no room"}, "Unschedulable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := given().applied(60).gated("v0.9.6").turn().runs()
			c.Job.Waiting = tt.waiting
			c.turn().wants(t, want{plan.AwaitJob, plan.Progressing, tt.reason, "Open 59-60", "1: 60-62 Pending"})
			if c.last.After != 10*time.Second {
				t.Errorf("looks again after %s", c.last.After)
			}
		})
	}
	c := given().destroy().applied(62).gated("v0.10.0").turn().runs()
	c.Job.PodsLeft, c.Job.Overdue = 0, 1
	follow(
		t, c,
		leg{"the node is lost", nil, want{plan.Discard, plan.Progressing, "JobLost", "Held for a plan", "1: 62-66 Lost"}},
		leg{"its Job is deleted", nil, want{plan.Discard, plan.Progressing, "CleaningUp", "Held for a plan", "1: 62-66 Lost"}},
		leg{"a look", noJob, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-66 Pending"}},
	)
}

// TestStrays: Jobs that no plan stands behind are deleted before anything else,
// and nothing begins while a pod of one is left.
func TestStrays(t *testing.T) {
	t.Parallel()
	stray := migrationjob.Run{Name: "stray"}
	follow(
		t, given().applied(60).gated("v0.9.6").with(func(c *course) { c.Strays = []migrationjob.Run{stray} }),
		leg{"a stray", nil, want{plan.Discard, plan.Progressing, "CleaningUp", "Open 59-60", ""}},
		leg{"its pod is left", func(c *course) { c.Strays, c.PodsLeft = nil, 1 }, want{plan.Wait, plan.Progressing, "CleaningUp", "Open 59-60", ""}},
		leg{"gone", func(c *course) { c.PodsLeft = 0 }, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"}},
		leg{"one beside the attempt", func(c *course) { c.job().Strays = []migrationjob.Run{stray} }, want{plan.Discard, plan.Progressing, "CleaningUp", "Open 59-60", "1: 60-62 Pending"}},
		leg{"suspended", func(c *course) { c.Strays = nil; c.suspend(true) }, want{plan.Suspend, plan.Progressing, "Suspended", "Open 59-60", "1: 60-62 Abandoned"}},
		leg{"started after all", runs, want{plan.Discard, plan.Progressing, "CleaningUp", "Open 59-60", "1: 60-62 Lost"}},
		leg{"gone", noJob, want{plan.Suspend, plan.Progressing, "Suspended", "Open 59-60", "1: 60-62 Lost"}},
		leg{"resumed", func(c *course) { c.suspend(false) }, want{plan.Prepare, plan.Progressing, "Inspecting", "Open 59-60", "2: ?-62 Pending"}},
	)
}
