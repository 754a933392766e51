package plan_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
)

// gateOpen is the break-glass.
func gateOpen(c *course) {
	c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Gate = v1alpha1.GateDisabled })
}

// evicted names the pods that a decision deletes.
func (c *course) evicted() string {
	var names []string
	for _, eviction := range c.last.Evict {
		names = append(names, eviction.Name)
	}
	return strings.Join(names, " ")
}

// images gives all pods the image that their tag names.
func (c *course) images() *course {
	for i := range c.Pods {
		c.Pods[i].Image = "ghcr.io/open-webui/open-webui:" + c.Pods[i].Requirement.Tag
	}
	return c
}

// TestDrain: what runs is ended, as often as it is seen, and nothing else.
func TestDrain(t *testing.T) {
	t.Parallel()
	const attempt = "1: 62-66 Pending"
	draining := want{plan.Drain, plan.Progressing, "Draining", "Held for a plan", attempt}
	c := given().destroy().applied(62).running("v0.9.6", "v0.9.6").gated("v0.10.0")
	follow(
		t, c,
		leg{"decided", nil, want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", attempt}},
	)
	if got := c.evicted(); got != "" {
		t.Errorf("before the hold is recorded, %q are deleted", got)
	}
	follow(t, c, leg{"recorded", job, draining})
	if got := c.evicted(); got != "pod-false-0 pod-false-1" || !strings.Contains(c.last.Message, "pod-false-0, pod-false-1") {
		t.Errorf("%q are deleted: %s", got, c.last.Message)
	}
	follow(t, c, leg{"one is ending", func(c *course) { c.Pods[0].Terminating = true }, draining})
	if got := c.evicted(); got != "pod-false-1" || !strings.Contains(c.last.Message, "pod-false-0 (ending)") {
		t.Errorf("%q are deleted: %s", got, c.last.Message)
	}
	follow(
		t, c,
		leg{"nobody runs", func(c *course) { c.running().with(hold) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"one was let in after all", func(c *course) { c.running("v0.9.6").Pods[1].Created = c.Now }, draining},
		leg{"gone", func(c *course) { c.running() }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"started", runs, want{plan.AwaitJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		leg{"one more was let in", func(c *course) {
			c.running("v0.9.6")
			c.Pods[1].Created, c.Pods[1].Admitted = c.Now, true
		}, want{plan.AwaitJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
	)
	if got := c.evicted(); got != "pod-false-0" {
		t.Errorf("while the Job runs, %q are deleted", got)
	}
	follow(t, c, leg{"ended", ends(done(62, 66)), want{plan.Record, plan.Progressing, "Migrating", "Open 63-66", "1: 62-66 Succeeded"}})
	follow(t, c, leg{"at rest", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", "1: 62-66 Succeeded"}})
	if got := c.evicted(); got != "pod-false-0" {
		t.Errorf("afterwards %q are deleted", got)
	}
	c.Pods[1].Admitted = false
	if c.turn(); c.evicted() != "" {
		t.Errorf("whom a person has let in is deleted: %q", c.evicted())
	}
	// The clock of the operator is ahead of the API server's, which dates pods and Jobs.
	c.Pods[1].Admitted, c.Pods[1].Created = true, c.Now.Add(-time.Hour)
	c.Job.Created = metav1.NewTime(c.Pods[1].Created)
	if c.turn(); c.evicted() != "pod-false-0" {
		t.Errorf("with clocks that disagree, %q are deleted", c.evicted())
	}
	c.Job.Created = metav1.Time{}
	// Who is served stays, and so does who was there before.
	c.running("v0.10.0", "v0.9.6", "main").with(func(c *course) {
		for i := range c.Pods {
			c.Pods[i].Admitted = true
		}
		c.Pods[1].Created, c.Pods[3].Created = c.Now, c.Now
	}).turn()
	if got := c.evicted(); got != "" {
		t.Errorf("afterwards %q are deleted", got)
	}
	for what, change := range map[string]func(*course){
		"suspended":     func(c *course) { c.suspend(true) },
		"gate open":     gateOpen,
		"being deleted": func(c *course) { c.Schema.DeletionTimestamp = &metav1.Time{Time: c.Now} },
		"shared":        func(c *course) { c.Elder = "default/older" },
	} {
		c := given().destroy().applied(62).gated("v0.10.0").prepared().runs().running("v0.9.6")
		c.Pods[1].Created = c.Now
		if c.turn(); c.evicted() == "" {
			t.Fatalf("%s: nothing is deleted before", what)
		}
		change(c)
		if c.turn(); c.evicted() != "" {
			t.Errorf("%s: %q are deleted", what, c.evicted())
		}
	}
}

// TestNobodyIsEndedForWhatIsNotKnown: pods that were let in after a fencing migration
// stay when it is not known any more where the database is.
func TestNobodyIsEndedForWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*course){
		"an older schema was there":   func(c *course) { c.Elder = "older"; c.turn(); c.Elder = "" },
		"another database":            func(c *course) { c.Source = "other" },
		"an operator that knows less": func(c *course) { c.Schema.Status.AppliedRevision.Version = 80 },
	} {
		c := given().destroy().applied(62).gated("v0.10.0").prepared().runs().ends(done(62, 66)).turn().turn()
		c.gated().running("v0.10.0").with(func(c *course) {
			c.Pods[0].Created, c.Pods[0].Admitted = c.Now, true
			c.PodsLeft = 1 // So that no other attempt begins.
		})
		forget(c)
		if c.turn(); c.evicted() != "" {
			t.Errorf("%s: %q are deleted: %s", name, c.evicted(), c.last.Message)
		}
	}
}

// TestRollingEndsNobody: with the strategy Rolling, older pods that came while the
// database was migrated stay, too.
func TestRollingEndsNobody(t *testing.T) {
	t.Parallel()
	c := given().strategy(v1alpha1.StrategyRolling).applied(67).running("v0.10.0").gated("v0.11.0").turn()
	c.Pods[0].Created = c.Now
	c.ends(done(67, 73)).turn().turn().wants(t, want{plan.Idle, plan.Ready, "UpToDate", "Open 68-73", "1: 67-73 Succeeded"})
	if got := c.evicted(); got != "" {
		t.Errorf("%q are deleted", got)
	}
}

// TestDrainTimeout: a drain that takes too long is told, and goes on.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	const attempt = "1: 62-66 Pending"
	c := given().destroy().applied(62).running("v0.9.6").gated("v0.10.0").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.DrainTimeoutSeconds = 30 })
	c.Pods[0].Terminating = true
	follow(
		t, c,
		leg{"decided", nil, want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", attempt}},
		leg{"waits", job, want{plan.Drain, plan.Progressing, "Draining", "Held for a plan", attempt}},
		leg{"too long", func(c *course) { c.after(c.last.After) }, want{plan.Drain, plan.Stalled, "DrainTimeout", "Held for a plan", attempt}},
	)
	if !strings.Contains(c.last.Message, "30s") || !strings.Contains(c.last.Message, "pod-false-0 (ending)") {
		t.Errorf("the message is %q", c.last.Message)
	}
	follow(t, c, leg{"gone", func(c *course) { c.running().with(hold) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}})
}

// TestDrainGivenUp: whoever rolls back during a drain gets the old pods back,
// after a look at the database.
func TestDrainGivenUp(t *testing.T) {
	t.Parallel()
	follow(
		t, given().destroy().applied(62).running("v0.9.6").gated("v0.10.0"),
		leg{"decided", nil, want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 62-66 Pending"}},
		leg{"rolled back", func(c *course) { c.job().gated("v0.10.0", "v0.9.6").Pods[1].Superseded = true }, want{plan.Discard, plan.Progressing, "CleaningUp", "Held for a plan", "1: 62-66 Lost"}},
		leg{"a look", noJob, want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "2: ?-62 Pending"}},
		leg{"as before", ends(done(62, 62)), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "2: 62-62 Succeeded"}},
		leg{"at rest", noJob, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "2: 62-62 Succeeded"}},
	)
}

// TestSuperseded: pods that are about to be replaced do not decide, unless there
// are no others.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	replaced := func(c *course) {
		for i := range c.Pods {
			c.Pods[i].Superseded = !c.Pods[i].Gated
		}
	}
	runDecided(t, map[string]decided{
		"rolled back":            {given().applied(66).running("v0.10.0").gated("v0.9.6").with(replaced), want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 63-66", ""}, 62, ""},
		"rolled back, served":    {given().applied(62).running("v0.9.6").gated("v0.9.3").with(replaced), want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", ""}, 60, "which serves the target, revision 60"},
		"upgraded":               {given().applied(60).running("v0.9.3").gated("v0.9.6").with(replaced), want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}, 62, ""},
		"nothing else":           {given().applied(60).running("v0.9.3").with(replaced), want{plan.Idle, plan.Ready, "UpToDate", open60, ""}, 60, ""},
		"a downgrade is allowed": {given().downgrade(v1alpha1.DowngradeAllow).applied(66).running("v0.10.0").gated("v0.9.6").with(replaced), want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 66-62 Pending"}, 62, ""},
	})
}

// TestImageCheck: nothing is ended for an image that cannot be pulled.
func TestImageCheck(t *testing.T) {
	t.Parallel()
	const open = "Open 59-62"
	begin := func() *course {
		return given().destroy().applied(62).running("v0.9.6").gated("v0.10.0", "v0.10.0").images()
	}
	checking := func(action plan.Action) want {
		return want{action, plan.Progressing, "CheckingImage", open, ""}
	}
	run := func(state migrationjob.State, waiting string) func(*course) {
		return func(c *course) {
			c.Helpers = []plan.HelperRun{{Name: c.last.Helper.Name, State: state}}
			if waiting != "" {
				c.Helpers[0].Waiting = &migrationjob.Waiting{Reason: waiting, Message: "it is so"}
			}
		}
	}
	unavailable := want{plan.Wait, plan.Progressing, "ApplicationImageUnavailable", open, ""}
	drains := want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 62-66 Pending"}
	for name, tt := range map[string]struct {
		what func(*course)
		want want
		says string
	}{
		"runs":          {run(migrationjob.Active, ""), checking(plan.Wait), "open-webui:v0.10.0 can be pulled"},
		"starting":      {run(migrationjob.Active, migrationjob.ContainerCreating), checking(plan.Wait), ""},
		"no room":       {run(migrationjob.Active, migrationjob.Unschedulable), checking(plan.Wait), "Its pod waits: it is so."},
		"no such image": {run(migrationjob.Active, migrationjob.ImageUnavailable), unavailable, "which pod pod-true-0 waits with"},
		"lost":          {run(migrationjob.Failed, ""), checking(plan.Discard), ""},
		"pulled":        {run(migrationjob.Succeeded, ""), drains, ""},
		"switched off": {func(c *course) {
			c.spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.CheckImage = new(false) })
		}, drains, ""},
		"nothing to lose": {func(c *course) { c.running() }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}, ""},
		"not served":      {func(c *course) { c.toRevision("66").gated("v0.11.0").images() }, drains, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin()
			follow(t, c, leg{"begins", nil, checking(plan.Help)}, leg{"asks again", nil, checking(plan.Help)})
			if helper := c.last.Helper; helper.Kind != migrationjob.PurposeImageCheck || helper.Subject != "ghcr.io/open-webui/open-webui:v0.10.0" || helper.Pod != "pod-true-0" {
				t.Errorf("the helper is %+v", helper)
			}
			tt.what(c)
			c.turn().wants(t, tt.want)
			if !strings.Contains(c.last.Message, tt.says) {
				t.Errorf("%q does not say %q", c.last.Message, tt.says)
			}
		})
	}
}

// TestBackup: nothing is ended before the backup has succeeded, and none is made
// between two attempts.
func TestBackup(t *testing.T) {
	t.Parallel()
	const open = "Open 59-62"
	c := given().destroy().applied(62).gated("v0.10.0").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.Before.CronJob = "backup" })
	state := func(state migrationjob.State) func(*course) {
		return func(c *course) { c.Helpers[0].State = state }
	}
	backing := func(action plan.Action) want { return want{action, plan.Progressing, "BackingUp", open, ""} }
	failed1 := want{plan.Stall, plan.Stalled, "BackupFailed", open, ""}
	follow(
		t, c,
		leg{"there is no such CronJob", func(c *course) { c.CronJobMissing = true }, want{plan.Wait, plan.Progressing, "CronJobMissing", open, ""}},
		leg{"there is", func(c *course) { c.CronJobMissing = false }, backing(plan.Help)},
		leg{"made", func(c *course) {
			c.Helpers = []plan.HelperRun{{Name: c.last.Helper.Name, State: migrationjob.Active}}
		}, backing(plan.Wait)},
		leg{"failed", state(migrationjob.Failed), failed1},
		leg{"that stays", nil, failed1},
		leg{"another is asked for", func(c *course) { c.annotate(v1alpha1.AnnotationRetry, "1") }, backing(plan.Help)},
		leg{"made", func(c *course) {
			c.Helpers = []plan.HelperRun{{Name: c.last.Helper.Name, State: migrationjob.Active}}
		}, backing(plan.Wait)},
		leg{"done", state(migrationjob.Succeeded), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}},
		leg{"it has expired", func(c *course) { c.Helpers = nil; c.job(); hold(c) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}},
		leg{"not reached", ends(failed("transient", "Unreachable", 0, 0)), want{plan.Record, plan.Progressing, "Unreachable", "Held for a plan", "1: 62-66 Retrying"}},
		leg{"again", func(c *course) { c.noJob().after(time.Hour) }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "2: 62-66 Pending"}},
	)
	// The same migration of another time is not covered by the backup of before.
	old := plan.HelperRun{Name: "none", State: migrationjob.Succeeded}
	again := given().destroy().applied(62).gated("v0.10.0").spec(func(s *v1alpha1.DatabaseSchemaSpec) {
		s.Rollout.Before.CronJob, s.Policy.Downgrade = "backup", v1alpha1.DowngradeAllow
	})
	follow(t, again, leg{"begins", nil, backing(plan.Help)})
	old.Name = again.last.Helper.Name
	follow(
		t, again,
		leg{"done", func(c *course) { c.Helpers = []plan.HelperRun{old} }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}},
		leg{"restored since, as a look has found", func(c *course) { c.ends(refused(result.ReasonUnexpectedRevision, 62)) }, want{plan.Record, plan.Stalled, "UnexpectedRevision", "Open 59-62", "1: 62-66 Failed"}},
		leg{"once more", func(c *course) {
			c.noJob().spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Execution.LockTimeoutSeconds = 7 })
		}, want{plan.Help, plan.Progressing, "BackingUp", "Open 59-62", "1: 62-66 Failed"}},
	)
	if again.last.Helper.Name == old.Name {
		t.Error("a backup of before counts")
	}
	// An additive migration needs none.
	additive := given().applied(60).gated("v0.9.6").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Rollout.Before.CronJob = "backup" })
	additive.turn().wants(t, want{plan.Prepare, plan.Progressing, "Migrating", "Open 59-60", "1: 60-62 Pending"})
}

// TestClocksJump: what the clock of the operator's node says, or what another
// node's had said, shortens no hold and delays no attempt.
func TestClocksJump(t *testing.T) {
	t.Parallel()
	const attempt = "1: 62-66 Pending"
	jump := func(by time.Duration) func(*course) { return func(c *course) { c.Now = c.Now.Add(by) } }
	holding := want{plan.Wait, plan.Progressing, "Holding", "Held for a plan", attempt}
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		c := given().destroy().applied(62).gated("v0.10.0").prepared().stamped().with(func(c *course) { c.Fresh = true })
		follow(
			t, c,
			leg{"just held", jump(by), holding},
			leg{"held for a while", func(c *course) { c.after(plan.Settle - 1) }, holding},
			leg{"held for long enough", func(c *course) { c.after(1) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", attempt}},
		)
	}
	c := given().destroy().applied(62).running("v0.9.6").gated("v0.10.0").prepared()
	if c.turn(); c.last.After <= 0 {
		t.Fatalf("a drain is looked at again after %s", c.last.After)
	}
	timeout := c.last.After
	if c.with(jump(-time.Hour)).turn(); c.last.After > timeout {
		t.Errorf("with a clock that has jumped back, a drain is looked at again after %s, before it was %s", c.last.After, timeout)
	}
	again := given().applied(60).gated("v0.9.6").turn().ends(failed(result.Transient, result.ReasonUnreachable, 0, 0)).turn().noJob()
	if again.turn(); again.last.Action != plan.Wait {
		t.Fatalf("after a failure comes %s", again.last.Action)
	}
	if again.with(jump(-time.Hour)).turn(); again.last.Action != plan.Prepare {
		t.Errorf("with a clock that has jumped back, the next attempt is in %s", again.last.After)
	}
	looks := given().applied(62).gated("v0.9.6").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Policy.VerifyIntervalSeconds = 60 }).turn()
	if looks.with(jump(-time.Hour)).turn(); looks.last.After > time.Minute {
		t.Errorf("with a clock that has jumped back, the next look is in %s", looks.last.After)
	}
}
