package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
)

// decided is a test of one decision that begins with nothing in flight.
type decided struct {
	given  *course
	want   want
	target int32
	says   string // part of the message
}

func runDecided(t *testing.T, tests map[string]decided) {
	t.Helper()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.given.turn().wants(t, tt.want)
			next := tt.given.last
			if next.Status.TargetRevision.Version != tt.target {
				t.Errorf("the target is %d, want %d", next.Status.TargetRevision.Version, tt.target)
			}
			if !strings.Contains(next.Message, tt.says) {
				t.Errorf("the message %q does not say %q", next.Message, tt.says)
			}
			if strings.Contains(next.Message, "..") || strings.Contains(next.Message, ".;") {
				t.Errorf("a sentence of the message ends twice: %q", next.Message)
			}
		})
	}
}

const open60 = "Open 59-60"

func requires(ref string) func(*course) {
	return func(c *course) {
		pod := simPod{name: "annotated", tag: "main"}.object()
		pod.Annotations = map[string]string{v1alpha1.AnnotationRequires: ref}
		need, err := requirement.Of(pod)
		c.Pods = append(c.Pods, plan.Pod{Name: pod.Name, Gated: true, Requirement: need, Unknown: err})
	}
}

// TestTarget: what decides where the database is to be.
func TestTarget(t *testing.T) {
	t.Parallel()
	idle := want{plan.Idle, plan.Ready, "UpToDate", open60, ""}
	up := want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}
	stall := func(reason string) want { return want{plan.Stall, plan.Stalled, reason, open60, ""} }
	at := func() *course { return given().applied(60) }
	runDecided(t, map[string]decided{
		"no pods":                  {at(), want{plan.Idle, plan.Ready, "NoWorkload", open60, ""}, 0, "No labeled pod"},
		"one pod":                  {at().gated("v0.9.6"), up, 62, "from revision 60 to 62"},
		"the highest of pods":      {at().gated("v0.9.3", "v0.9.6", "v0.9.5"), up, 62, ""},
		"a running pod counts":     {at().running("v0.9.6"), up, 62, ""},
		"a terminating one not":    {at().gated("v0.9.6").with(func(c *course) { c.Pods[0].Terminating = true }), want{plan.Idle, plan.Ready, "NoWorkload", open60, ""}, 0, ""},
		"served by what is there":  {at().gated("v0.9.4"), idle, 60, "the target"},
		"older, and served":        {given().applied(62).gated("v0.9.4"), want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", ""}, 60, "serves the target"},
		"an annotation: number":    {at().with(requires("61")), want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-61 Pending"}, 61, ""},
		"an annotation: id":        {at().with(requires("461111b60977")), up, 62, ""},
		"an annotation: release":   {at().with(requires("0.9.6")), up, 62, ""},
		"an annotation: latest":    {at().with(requires("latest")), stall("UnknownAppVersion"), 0, "no revision of the bundle"},
		"an annotation: bad":       {at().with(requires("x-y")), stall("UnknownAppVersion"), 0, "annotation"},
		"an unknown tag alone":     {at().gated("main"), stall("UnknownAppVersion"), 0, "names no version"},
		"an unknown tag, known":    {at().gated("main", "v0.9.6"), up, 62, ""},
		"an unknown one that runs": {at().running("main"), want{plan.Idle, plan.Ready, "NoWorkload", open60, ""}, 0, ""},
		"a release too new":        {at().gated("v0.12.0"), stall("UnknownAppVersion"), 0, "0.12.0"},
		"the overlay knows it":     {at().overlay("0.12.0", "76").gated("v0.12.0").destroy(), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 60-76 Pending"}, 76, ""},
		"the overlay is wrong":     {at().overlay("0.9.0", "60").gated("v0.9.6"), want{plan.Stall, plan.Stalled, "InvalidReleases", "Held", ""}, 0, "spec.migrations.releases"},
		"a release":                {at().toApp("0.9.6").gated("main"), up, 62, ""},
		"a release unknown":        {at().toApp("0.12.0").gated("v0.9.6"), stall("UnknownAppVersion"), 0, "spec.target.appVersion"},
		"a revision by number":     {at().toRevision("62"), up, 62, ""},
		"a revision by id":         {at().toRevision("461111b60977"), up, 62, ""},
		"a revision unknown":       {at().toRevision("99"), stall("UnknownRevision"), 0, "spec.target.revision"},
		"latest is no target":      {at().toRevision("latest"), stall("UnknownRevision"), 0, "latest"},
		"a target above the pods":  {at().toRevision("62").gated("v0.9.3"), up, 62, ""},
		"a target below, served":   {given().applied(62).toRevision("60"), want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", ""}, 60, ""},
		"shared":                   {at().gated("v0.9.6").with(func(c *course) { c.Elder = "a/b" }), want{plan.Stall, plan.Stalled, "DatabaseShared", "Held", ""}, 62, "a/b"},
	})
	c := at().gated("main", "v0.9.6", "latest").turn()
	if c.last.Unknown != 2 || c.last.UnknownMessage == "" || *c.last.Status.WaitingPods != 3 || c.last.Served {
		t.Errorf("unknown %d, %q, waiting %d, served %t", c.last.Unknown, c.last.UnknownMessage, *c.last.Status.WaitingPods, c.last.Served)
	}
}

// TestStrategy: which migrations hold the gates.
func TestStrategy(t *testing.T) {
	t.Parallel()
	held := func(attempt string) want {
		return want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", attempt}
	}
	drains := func(attempt string) want {
		return want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", attempt}
	}
	runDecided(t, map[string]decided{
		"Auto, additive":        {given().applied(60).running("v0.9.6"), want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}, 62, ""},
		"Auto, quiesce":         {given().applied(67).gated("v0.11.0"), held("1: 67-73 Pending"), 73, ""},
		"Auto, quiesce, pods":   {given().applied(67).running("v0.10.0").gated("v0.11.0"), drains("1: 67-73 Pending"), 73, ""},
		"Rolling, quiesce":      {given().strategy(v1alpha1.StrategyRolling).applied(67).running("v0.11.0"), want{plan.Prepare, plan.Progressing, "Migrating", "Open 63-67", "1: 67-73 Pending"}, 73, "68 (9a1b2c3d4e5f) may be missed"},
		"Rolling, breaking":     {given().destroy().strategy(v1alpha1.StrategyRolling).applied(62).running("v0.10.0"), want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 59-62", ""}, 66, "pods of older releases that keep running break: 63 (3ff2c63645b8): "},
		"breaking, no pods":     {given().destroy().strategy(v1alpha1.StrategyRolling).applied(62).gated("v0.10.0"), want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 59-62", ""}, 66, "63 (3ff2c63645b8)"},
		"Auto, gate open, pods": {given().applied(67).running("v0.10.0").gated("v0.11.0").with(gateOpen), want{plan.Stall, plan.Stalled, "FencingRevisionsPending", "Open 63-67", ""}, 73, "spec.gate is Open"},
		"Drain, additive":       {given().strategy(v1alpha1.StrategyDrain).applied(60).gated("v0.9.6"), held("1: 60-62 Pending"), 62, ""},
		"Drain, additive, pods": {given().strategy(v1alpha1.StrategyDrain).applied(60).running("v0.9.6"), drains("1: 60-62 Pending"), 62, ""},
	})
	work := given().strategy(v1alpha1.StrategyRolling).applied(67).gated("v0.11.0").turn().last.Work
	if work.Fence || work.RefuseFencing || !work.RefuseDestructive || len(work.Pending) != 6 {
		t.Errorf("the work is %+v", work)
	}
	work = given().applied(60).gated("v0.9.6").turn().last.Work
	if !work.RefuseFencing || !work.RefuseDestructive {
		t.Errorf("the work is %+v", work)
	}
}

// TestGateDisabled: with the gates left open there is nothing to settle.
func TestGateDisabled(t *testing.T) {
	t.Parallel()
	c := given().destroy().applied(62).gated("v0.10.0").spec(func(s *v1alpha1.DatabaseSchemaSpec) { s.Gate = v1alpha1.GateDisabled })
	c.prepared().stamped()
	c.Fresh = true
	c.Schema.Status.Conditions[0].Status = "True" // as the controller tells it
	c.turn().wants(t, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"})
}

// TestApproval: a plan that destroys waits for a person, and what was approved
// is that plan.
func TestApproval(t *testing.T) {
	t.Parallel()
	c := given().applied(62).gated("v0.10.0")
	asks := want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 59-62", ""}
	follow(t, c, leg{"asks", nil, asks}, leg{"asks again", nil, asks})
	digest := c.last.Work.Digest
	if !strings.Contains(c.last.Message, "63 (3ff2c63645b8) removes or reshapes data. ") || !strings.Contains(c.last.Message, v1alpha1.AnnotationApprove+"="+digest) {
		t.Errorf("the message is %q", c.last.Message)
	}
	if want := (v1alpha1.ApprovalStatus{Digest: digest, From: 62, To: 66}); c.last.Status.Approval != want {
		t.Errorf("the status asks to approve %+v, want %+v", c.last.Status.Approval, want)
	}
	follow(
		t, c,
		leg{"another plan is approved", func(c *course) { c.annotate(v1alpha1.AnnotationApprove, "other") }, asks},
		leg{"the plan has become another", func(c *course) { c.annotate(v1alpha1.AnnotationApprove, digest).gated("v0.11.0") }, asks},
		leg{"and the same again", func(c *course) { c.gated("v0.10.0") }, want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}},
	)
	if c.last.Work.RefuseDestructive || c.last.Status.Approval.Digest != "" {
		t.Errorf("the Job refuses what was approved, or it is asked about still: %+v", c.last.Status.Approval)
	}
	runDecided(t, map[string]decided{
		"by policy":     {given().destroy().applied(62).gated("v0.10.0"), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}, 66, ""},
		"by the target": {given().toRevision("66").applied(62), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 62-66 Pending"}, 66, ""},
	})
}

// TestDowngrade: the database goes down only where the policy says so, where
// that serves anybody, and never under pods.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	at := func(policy v1alpha1.DowngradePolicy) *course { return given().downgrade(policy).applied(66) }
	held := want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 66-62 Pending"}
	required := want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 63-66", ""}
	runDecided(t, map[string]decided{
		"unset":                  {at("").gated("v0.9.6"), required, 62, "from 0.10.0 on"},
		"forbidden":              {at(v1alpha1.DowngradeForbid).gated("v0.9.6"), required, 62, "Forbid"},
		"to be approved":         {at(v1alpha1.DowngradeRequireApproval).gated("v0.9.6"), want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 63-66", ""}, 62, "reverts revisions that lose data: 66 (42e2978c7933)"},
		"nothing is lost":        {given().downgrade(v1alpha1.DowngradeRequireApproval).toRevision("74").applied(75), want{plan.RequireApproval, plan.Blocked, "AwaitingApproval", "Open 68-75", ""}, 74, "is down. Approve"},
		"allowed":                {at(v1alpha1.DowngradeAllow).gated("v0.9.6"), held, 62, ""},
		"allowed, pods run":      {at(v1alpha1.DowngradeAllow).running("v0.9.6"), want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 66-62 Pending"}, 62, ""},
		"to a target":            {at(v1alpha1.DowngradeAllow).toRevision("64"), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 66-64 Pending"}, 64, ""},
		"to a target, forbidden": {at(v1alpha1.DowngradeForbid).toRevision("62"), required, 62, ""},
		"a pod needs less":       {at(v1alpha1.DowngradeAllow).gated("v0.10.0").with(requires("64")), want{plan.Idle, plan.Ready, "UpToDate", "Open 63-66", ""}, 66, ""},
		"the birth forbids it":   {at(v1alpha1.DowngradeAllow).birth(bundle.BirthAlembic).gated("v0.9.3"), want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 63-66", ""}, 60, "birth alembic"},
	})
	c := at(v1alpha1.DowngradeRequireApproval).gated("v0.9.6").turn()
	c.annotate(v1alpha1.AnnotationApprove, c.last.Work.Digest)
	follow(t, c, leg{"approved", nil, held})
	if work := c.last.Work; !work.Downgrade || work.Pending[0].Version != 66 || len(work.Pending) != 4 {
		t.Errorf("the work is %+v", work)
	}
	follow(
		t, c,
		leg{"created", func(c *course) { c.job(); hold(c) }, want{plan.StartJob, plan.Progressing, "Migrating", "Held for a plan", "1: 66-62 Pending"}},
		leg{"ended", ends(done(66, 62)), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 66-62 Succeeded"}},
		leg{"at rest", nil, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "1: 66-62 Succeeded"}},
	)
	if got := c.Schema.Status.History[0].Direction; got != v1alpha1.DirectionDown {
		t.Errorf("the direction is %s", got)
	}
}

// TestBirth: a database that Alembic created serves no release of Peewee's time.
func TestBirth(t *testing.T) {
	t.Parallel()
	runDecided(t, map[string]decided{
		"not yet":  {given().applied(60).birth(bundle.BirthAlembic), want{plan.Idle, plan.Ready, "NoWorkload", "Held", ""}, 0, ""},
		"at last":  {given().applied(62).birth(bundle.BirthAlembic), want{plan.Idle, plan.Ready, "NoWorkload", "Open 61-62", ""}, 0, ""},
		"too old":  {given().applied(62).birth(bundle.BirthAlembic).gated("v0.9.3"), want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 61-62", ""}, 60, ""},
		"no birth": {given().applied(62).birth(""), want{plan.Idle, plan.Ready, "NoWorkload", "Held", ""}, 0, ""},
	})
}

// TestVerify: somebody asks for a look at the database, and gets one, whatever
// else there is to do.
func TestVerify(t *testing.T) {
	t.Parallel()
	ask := func(c *course) { c.annotate(v1alpha1.AnnotationVerify, "now") }
	const attempt = "1: 62-62 Pending"
	open := "Open 59-62"
	begin := leg{"asked", ask, want{plan.Prepare, plan.Ready, "UpToDate", open, attempt}}
	started := leg{"created", job, want{plan.StartJob, plan.Ready, "UpToDate", open, attempt}}
	at := func() *course { return given().applied(62).running("v0.9.6") }
	follow(
		t, at(), begin, leg{"recorded", nil, begin.want}, started,
		leg{"as expected", ends(done(62, 62)), want{plan.Record, plan.Ready, "UpToDate", open, "1: 62-62 Succeeded"}},
		leg{"at rest", noJob, want{plan.Idle, plan.Ready, "UpToDate", open, "1: 62-62 Succeeded"}},
	)
	follow(
		t, at(), begin, started,
		leg{"elsewhere", ends(refused(result.ReasonUnexpectedRevision, 60)), want{plan.Record, plan.Progressing, "Migrating", open60, "1: 62-62 Succeeded"}},
		leg{"brought back", noJob, want{plan.Prepare, plan.Progressing, "Migrating", open60, "2: 60-62 Pending"}},
	)
	follow(
		t, at(), begin, started,
		leg{"emptied", ends(failed(result.Refused, result.ReasonUnexpectedRevision, 0, 0)), want{plan.Record, plan.Progressing, "Migrating", "Held", "1: 62-62 Succeeded"}},
		leg{"filled again", noJob, want{plan.Prepare, plan.Progressing, "Inspecting", "Held", "2: ?-62 Pending"}},
	)
	follow(
		t, at(), begin, started,
		leg{"not reached", ends(failed(result.Transient, result.ReasonUnreachable, 0, 0)), want{plan.Record, plan.Progressing, "Unreachable", open, "1: 62-62 Retrying"}},
		leg{"waits", noJob, want{plan.Wait, plan.Progressing, "Unreachable", open, "1: 62-62 Retrying"}},
		leg{"looks again", func(c *course) { c.after(c.last.After) }, want{plan.Prepare, plan.Progressing, "Migrating", open, "2: 62-62 Pending"}},
	)
	follow(
		t, at(), begin, started,
		leg{"cannot be read", ends(failed(result.Permanent, result.ReasonChecksumMismatch, 0, 0)), want{plan.Record, plan.Stalled, "ChecksumMismatch", open, "1: 62-62 Failed"}},
		leg{"that stays", noJob, want{plan.Stall, plan.Stalled, "ChecksumMismatch", open, "1: 62-62 Failed"}},
		leg{"asked again", func(c *course) { c.annotate(v1alpha1.AnnotationVerify, "again") }, want{plan.Prepare, plan.Progressing, "Migrating", open, "2: 62-62 Pending"}},
	)
	// A backup has been restored after all: the way down is there already.
	follow(
		t, given().applied(66).gated("v0.9.6"),
		leg{"stalled", nil, want{plan.Stall, plan.Stalled, "DowngradeRequired", "Open 63-66", ""}},
		leg{"asked", ask, want{plan.Prepare, plan.Progressing, "Migrating", "Open 63-66", "1: 66-66 Pending"}},
		leg{"restored", ends(refused(result.ReasonUnexpectedRevision, 62)), want{plan.Record, plan.Progressing, "Migrating", open, "1: 66-66 Succeeded"}},
		leg{"served", noJob, want{plan.Idle, plan.Ready, "UpToDate", open, "1: 66-66 Succeeded"}},
	)
	follow(t, given(), leg{"nothing was looked at yet, and nobody needs it", ask, want{plan.Idle, plan.Ready, "NoWorkload", "Held", ""}})
}

// TestLooksByInterval: without being asked, a Job looks at the database when its
// last look is long ago, and the schema stays Ready meanwhile.
func TestLooksByInterval(t *testing.T) {
	t.Parallel()
	const open = "Open 59-62"
	at := func() *course {
		c := given().applied(62).running("v0.9.6")
		c.Schema.Spec.Policy.VerifyIntervalSeconds = 600
		c.Schema.Status.VerifiedTime = new(metav1.NewTime(c.Now))
		return c
	}
	idle := want{plan.Idle, plan.Ready, "UpToDate", open, ""}
	later := func(c *course) {
		if c.last.After != 10*time.Minute {
			t.Errorf("it looks again after %s", c.last.After)
		}
		c.after(c.last.After)
	}
	follow(
		t, at(), leg{"not yet", nil, idle},
		leg{"due", later, want{plan.Prepare, plan.Ready, "UpToDate", open, "1: 62-62 Pending"}},
		leg{"created", job, want{plan.StartJob, plan.Ready, "UpToDate", open, "1: 62-62 Pending"}},
		leg{"as expected", ends(done(62, 62)), want{plan.Record, plan.Ready, "UpToDate", open, "1: 62-62 Succeeded"}},
		leg{"at rest", noJob, want{plan.Idle, plan.Ready, "UpToDate", open, "1: 62-62 Succeeded"}},
	)
	follow(
		t, at(), leg{"not yet", nil, idle},
		leg{"suspended", func(c *course) { c.suspend(true).after(time.Hour) }, want{plan.Idle, plan.Ready, "UpToDate", open, ""}},
	)
	follow(
		t, at(), leg{"not yet", nil, idle},
		leg{"something else is to be done", func(c *course) { c.gated("v0.9.6").after(time.Hour) }, want{plan.Prepare, plan.Ready, "UpToDate", open, "1: 62-62 Pending"}},
	)
}

// TestSQLite: pods and a migration never have the file open at once, whatever the
// revisions are. A mere look is no migration.
func TestSQLite(t *testing.T) {
	t.Parallel()
	at := func() *course {
		c := given()
		c.Schema.Spec.Database = v1alpha1.Database{SQLite: v1alpha1.SQLite{ClaimName: "webui"}}
		return c
	}
	runDecided(t, map[string]decided{
		"nobody runs": {at().applied(61).gated("v0.9.6"), want{plan.Prepare, plan.Progressing, "Migrating", "Held for a plan", "1: 61-62 Pending"}, 62, ""},
		"additive": {
			at().applied(61).gated("v0.9.6").running("v0.9.3"),
			want{plan.Prepare, plan.Progressing, "Draining", "Held for a plan", "1: 61-62 Pending"},
			62, "",
		},
		"first look": {at().gated("v0.9.6"), want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "1: ?-62 Pending"}, 62, ""},
		"first look, and pods run": {
			at().gated("v0.9.6").running("v0.9.3"), want{plan.Prepare, plan.Progressing, "Inspecting", "Held for a plan", "1: ?-62 Pending"}, 62, "",
		},
		"a look": {
			at().applied(62).running("v0.9.6").annotate(v1alpha1.AnnotationVerify, "now"),
			want{plan.Prepare, plan.Ready, "UpToDate", "Open 59-62", "1: 62-62 Pending"},
			62, "",
		},
	})
}

// TestDrift: what a Job has compared is recorded, and forgotten.
func TestDrift(t *testing.T) {
	t.Parallel()
	drifted := done(60, 62)
	drifted.Drift = &result.Drift{Count: 40}
	for i := range 40 {
		drifted.Drift.Differences = append(drifted.Drift.Differences, fmt.Sprintf("table t%d is missing", i))
	}
	blocked := refused(result.ReasonDrifted, 60)
	blocked.Drift = &result.Drift{Count: 1, Differences: []string{"table t is missing"}}
	for name, test := range map[string]struct {
		policy v1alpha1.DriftPolicy
		res    *result.Result
		want   want
		count  int32
		listed int
	}{
		"none":    {v1alpha1.DriftWarn, done(60, 62), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}, 0, 0},
		"warned":  {v1alpha1.DriftWarn, drifted, want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}, 40, 16},
		"ignored": {v1alpha1.DriftIgnore, drifted, want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}, 0, 0},
		"blocked": {v1alpha1.DriftBlock, blocked, want{plan.Record, plan.Stalled, "Drifted", open60, "1: 60-62 Failed"}, 1, 1},
	} {
		c := given().applied(60).gated("v0.9.6")
		c.Schema.Spec.Policy.Drift = test.policy
		c.Schema.Status.Drift = v1alpha1.DriftStatus{Count: 7}
		follow(
			t, c,
			leg{name, nil, want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}},
			leg{name, job, want{plan.StartJob, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}},
			leg{name, ends(test.res), test.want},
		)
		if got := c.last.Status.Drift; got.Count != test.count || len(got.Differences) != test.listed {
			t.Errorf("%s: the drift is %+v", name, got)
		}
	}
}

// TestTables: what a Job says of the sizes of tables is recorded as far as it makes
// sense, and forgotten with the database that it was about.
func TestTables(t *testing.T) {
	t.Parallel()
	res := done(60, 62)
	res.Tables = []result.Table{{Name: "chat", Rows: 5, Bytes: 8192}, {Name: "chat", Rows: 6}, {Name: "", Rows: 1}, {Name: "user", Rows: -1}, {Name: "file", Bytes: -1}}
	for i := range 20 {
		res.Tables = append(res.Tables, result.Table{Name: fmt.Sprint("t", i)})
	}
	c := given().applied(60).gated("v0.9.6")
	follow(
		t, c,
		leg{"before", nil, want{plan.Prepare, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}},
		leg{"started", job, want{plan.StartJob, plan.Progressing, "Migrating", open60, "1: 60-62 Pending"}},
		leg{"ended", ends(res), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "1: 60-62 Succeeded"}},
	)
	got := c.last.Status.Tables
	if len(got) != 8 || got[0].Name != "chat" || *got[0].Rows != 5 || *got[0].Bytes != 8192 || got[1].Name != "t0" {
		t.Errorf("the tables are %+v", got)
	}
	c.Schema.Status, c.Source = c.last.Status, "another"
	if got := plan.Next(c.Observed).Status.Tables; got != nil {
		t.Errorf("of another database the tables are %+v", got)
	}
}

// TestSuspend: nothing begins, and what is recorded is still served.
func TestSuspend(t *testing.T) {
	t.Parallel()
	const attempt = "1: 60-62 Pending"
	follow(
		t, given().applied(60).gated("v0.9.6").suspend(true),
		leg{"pending", nil, want{plan.Suspend, plan.Progressing, "Suspended", open60, ""}},
		leg{"resumed", func(c *course) { c.suspend(false) }, want{plan.Prepare, plan.Progressing, "Migrating", open60, attempt}},
		leg{"before the Job is there", func(c *course) { c.suspend(true) }, want{plan.Suspend, plan.Progressing, "Suspended", open60, "1: 60-62 Abandoned"}},
		leg{"resumed", func(c *course) { c.suspend(false) }, want{plan.Prepare, plan.Progressing, "Migrating", open60, "2: 60-62 Pending"}},
		leg{"while it runs", func(c *course) { c.runs().suspend(true) }, want{plan.Suspend, plan.Progressing, "Suspended", open60, "2: 60-62 Lost"}},
		leg{"it ends", nil, want{plan.Discard, plan.Progressing, "CleaningUp", open60, "2: 60-62 Lost"}},
		leg{"gone", noJob, want{plan.Suspend, plan.Progressing, "Suspended", open60, "2: 60-62 Lost"}},
		leg{"resumed: a look", func(c *course) { c.suspend(false) }, want{plan.Prepare, plan.Progressing, "Inspecting", open60, "3: ?-62 Pending"}},
		leg{"it was done", ends(done(62, 62)), want{plan.Record, plan.Progressing, "Migrating", "Open 59-62", "3: 62-62 Succeeded"}},
		leg{"nothing to suspend", func(c *course) { c.suspend(true) }, want{plan.Idle, plan.Ready, "UpToDate", "Open 59-62", "3: 62-62 Succeeded"}},
	)
	follow(
		t, given().destroy().applied(62).gated("v0.10.0").prepared(),
		leg{"locked", ends(failed(result.Locked, result.ReasonTableLocked, 62, 62)), want{plan.Record, plan.Progressing, "TableLocked", "Held for a plan", "1: 62-66 Retrying"}},
		leg{"suspended between two attempts", func(c *course) { c.suspend(true) }, want{plan.Suspend, plan.Progressing, "Suspended", "Open 59-62", "1: 62-66 Retrying"}},
	)
}
