package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/plan"
)

// world is a simulated cluster with one DatabaseSchema. What the API server
// holds is here in its newest form; the operator sees it through views, which
// lag behind.
type world struct {
	rng    *rand.Rand
	bundle *bundle.Bundle
	now    time.Time

	version int // of whatever was written last
	schema  *v1alpha1.DatabaseSchema
	jobs    []simJob
	pods    []simPod

	// databases are the revisions of the databases by source, and tampered
	// those that have changed behind the operator's back since a Job looked.
	databases  map[string]int
	tampered   map[string]bool
	tamperedAt map[string]int

	// elder is another schema of the same database; calm says that nothing goes
	// wrong any more.
	elder string
	calm  bool

	// helpers are the Jobs that go before migrations; noCronJob says that there
	// is nothing to make a backup from.
	helpers   []plan.HelperRun
	noCronJob bool

	// model says that a search decides what happens and not chance, and bug what
	// is wrong with the operator in it.
	model  bool
	bug    bug
	leader int // index of an operator

	// past are the last states of the API server, oldest first.
	past      []snapshot
	operators []operator
	// patches are gates that are about to be opened.
	patches []patch

	created int // names and UIDs
	trace   []string
}

// snapshot is what a cache can show. Nothing in it is changed.
type snapshot struct {
	at     time.Time
	schema *v1alpha1.DatabaseSchema
	jobs   []simJob
	pods   []simPod
}

// simJob is a migration Job and its pod.
type simJob struct {
	name, decision, source string
	uid                    string
	version                int
	suspended, deleted     bool
	target                 int
	expect                 *int
	fencing, destructive   bool // refused
	downgrade              bool // allowed
	rolling                bool // the strategy that it was made under

	// pod says that there is one that has not ended; lost, that its node is.
	pod, lost bool
	started   bool
	contacted bool
	first     int // revision when it looked first
	applied   int
	lookedAt  int // the version of the world when it looked last

	ended   bool
	failure string
	result  *result.Result
	actual  int // the revision of the database when it ended
}

func (j *simJob) acts() bool { return !j.suspended && j.pod && !j.lost && !j.ended }

// simPod is a labeled pod.
type simPod struct {
	name                     string
	version                  int
	required                 int // once it is released
	tag                      string
	created                  time.Time
	gated, terminating, open bool
	superseded, admitted     bool
	hold, source             string
}

// patch opens a gate if the pod has not changed since it was decided.
type patch struct {
	name    string
	version int
	// What it was decided by: the revision that the pod needs, and the database.
	required int
	source   string
	open     bool // nobody could know better
	decided  int  // the version of the world
}

// The sources are the databases that the spec can refer to.
var sources = []string{"first", "second"}

// simBundle is a history with every kind of step, short enough to be gone
// through often.
func simBundle() *bundle.Bundle {
	b := &bundle.Bundle{
		Name: "sim", Births: []bundle.BirthSpec{{Name: bundle.BirthAlembic, First: 1, AppFrom: release(1)}},
		BornAlembicFrom: 1, NewestRelease: release(7),
	}
	for i, kind := range []string{"additive", "additive", "breaking", "additive", "quiesce lossy", "additive lossy", "additive"} {
		label, lossy, _ := strings.Cut(kind, " ")
		revision := bundle.Revision{
			Version: i + 1, ID: fmt.Sprintf("r%d", i+1), History: bundle.HistoryAlembic, Name: "step",
			App: release(i + 1), Label: bundle.Label(label), Destructive: lossy != "",
		}
		if lossy != "" {
			revision.LossyDown = "Drops it."
		}
		b.Revisions = append(b.Revisions, revision)
	}
	return b
}

// release returns the release that needs a revision of simBundle.
func release(revision int) appversion.Version {
	version, err := appversion.Parse(tagOf(revision))
	if err != nil {
		panic(err)
	}
	return version
}

func tagOf(revision int) string { return fmt.Sprintf("1.%d.0", revision) }

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), bundle: simBundle(), //nolint:gosec // repeatable, not secret
		now:       time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		databases: map[string]int{}, tampered: map[string]bool{}, tamperedAt: map[string]int{},
		operators: make([]operator, 1),
	}
	for _, source := range sources {
		if w.chance(2) {
			w.databases[source] = 1 + w.rng.IntN(len(w.bundle.Revisions))
		}
	}
	w.schema = &v1alpha1.DatabaseSchema{}
	w.schema.Name, w.schema.UID, w.schema.Generation = "sim", "uid", 1
	w.schema.Spec.Database.Host = sources[0]
	w.schema.Spec.Rollout.Strategy = v1alpha1.StrategyAuto
	w.write("begin", func(*v1alpha1.DatabaseSchema) {})
	w.operators[0].restart(w)
	return w
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

func pick[T any](w *world, from ...T) T { return from[w.rng.IntN(len(from))] }

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// breach is how a history ends that has broken an invariant: with its trace.
type breach struct{ text, trace string }

// fail ends the history.
func (w *world) fail(format string, args ...any) {
	panic(breach{fmt.Sprintf(format, args...), strings.Join(w.trace, "\n")})
}

func (w *world) source() string { return w.schema.Spec.Database.Host }

// next returns another resourceVersion.
func (w *world) next() int {
	w.version++
	return w.version
}

// write changes the schema on the API server.
func (w *world) write(what string, change func(*v1alpha1.DatabaseSchema)) {
	schema := w.schema.DeepCopy()
	change(schema)
	schema.ResourceVersion = fmt.Sprint(w.next())
	w.schema = schema
	w.logf("%s", what)
}

// edit changes the spec.
func (w *world) edit(what string, change func(*v1alpha1.DatabaseSchemaSpec)) {
	w.write("edit: "+what, func(s *v1alpha1.DatabaseSchema) {
		change(&s.Spec)
		s.Generation++
	})
}

func (w *world) annotate(name, value string) {
	w.write("annotate: "+name+"="+value, func(s *v1alpha1.DatabaseSchema) {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, name, value)
	})
}

// remember takes a snapshot for the caches.
func (w *world) remember() {
	w.past = append(w.past, snapshot{at: w.now, schema: w.schema, jobs: slices.Clone(w.jobs), pods: slices.Clone(w.pods)})
}

// serves reports whether a database can serve a pod, by the compatibility rule
// itself.
func (w *world) serves(revision, required int) bool {
	return revision >= required && revision <= len(w.bundle.Revisions) && len(w.bundle.Fencing(required, revision)) == 0
}

// admit decides about a pod that is created, as the admission policies do.
func (w *world) admit(tag string) { w.admitBy(w.admitting(), tag) }

// admitBy decides by one version of the schema.
func (w *world) admitBy(schema *v1alpha1.DatabaseSchema, tag string) {
	w.created++
	pod := simPod{name: fmt.Sprintf("pod-%d", w.created), tag: tag, version: w.next(), gated: true, created: w.now.Truncate(time.Second)}
	if plan.Release(schema, w.bundle, pod.object()).Allowed {
		pod.admitted = true
		pod.gated, pod.source, pod.required = false, schema.Spec.Database.Host, w.required(schema, tag)
		pod.open = schema.Spec.Gate == v1alpha1.GateDisabled
		w.released(pod, "at admission")
	}
	w.pods = append(w.pods, pod)
	w.logf("pod %s (%s) is created, gated: %t", pod.name, tag, pod.gated)
}

// admitting is the schema as the API server that admits a pod has it: what it
// was a moment ago, for less than a hold settles.
func (w *world) admitting() *v1alpha1.DatabaseSchema {
	schema := w.schema
	for i := len(w.past) - 1; i > 0 && !w.calm && !w.model && w.chance(2); i-- {
		// The one before was the newest until this one was made.
		if w.now.Sub(w.past[i].at) >= plan.Settle-time.Second {
			break
		}
		schema = w.past[i-1].schema
	}
	return schema
}

// land opens a gate, if the pod is still the one that was decided about.
func (w *world) land(p patch) {
	for i := range w.pods {
		pod := &w.pods[i]
		if pod.name != p.name || pod.version != p.version || pod.terminating {
			continue
		}
		if !slices.ContainsFunc(w.past, func(s snapshot) bool { return plan.Release(s.schema, w.bundle, pod.object()).Allowed }) {
			w.fail("the gate of %s is opened, and nothing that was ever recorded lets it", pod.name)
		}
		pod.gated, pod.version, pod.required, pod.source, pod.open = false, w.next(), p.required, p.source, p.open || w.tamperedAt[p.source] > p.decided
		w.logf("the gate of %s is opened", pod.name)
		w.released(*pod, "by the operator")
	}
}

// released is the invariant of the gate: a pod runs only on what serves it.
func (w *world) released(pod simPod, how string) {
	if pod.open || w.tampered[pod.source] || w.rolled() {
		return
	}
	if revision := w.databases[pod.source]; !w.serves(revision, pod.required) {
		w.fail("pod %s, which needs %d, is released %s, and the database %s is at %d", pod.name, pod.required, how, pod.source, revision)
	}
}

// rolled reports whether a Job runs revisions under pods because the spec says
// so.
func (w *world) rolled() bool {
	return slices.ContainsFunc(w.jobs, func(j simJob) bool { return j.rolling && j.started }) ||
		w.schema.Spec.Rollout.Strategy == v1alpha1.StrategyRolling
}

// required returns the revision that a pod with a tag needs: without a version
// whatever the schema is told to be.
func (w *world) required(schema *v1alpha1.DatabaseSchema, tag string) int {
	revision, err := w.bundle.Resolve(tag)
	if err != nil {
		return int(schema.Status.TargetRevision.Version)
	}
	return revision.Version
}
