package checker

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/migrations"
)

// What the tests use of the real bundle: 0.10.2 needs revision 66, 0.11.0 needs
// 73. Fencing are 63, 68 and 76; the others from 60 on are additive.
const (
	oldImage = "open-webui:v0.10.2"
	newImage = "open-webui:v0.11.0"
)

var (
	schemaKey = types.NamespacedName{Namespace: "default", Name: "open-webui"}
	podKey    = types.NamespacedName{Namespace: "default", Name: "pod"}
	start     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// second is a time of the run.
func second(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

func openWebUI(t *testing.T) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// open is a version whose status lets the pods of an interval in.
func open(number int, seen float64, from, to int32) version {
	return edited(number, seen, func(s *v1alpha1.DatabaseSchema) {
		s.Status.Gate.State = v1alpha1.GateOpen
		s.Status.Serves = v1alpha1.Serves{From: from, To: to}
	})
}

// held is a version whose status lets no pod in.
func held(number int, seen float64) version {
	return edited(number, seen, func(s *v1alpha1.DatabaseSchema) { s.Status.Gate.State = v1alpha1.GateHeld })
}

// disarmed is one whose spec lets every pod in.
func disarmed(number int, seen float64) version {
	return edited(number, seen, func(s *v1alpha1.DatabaseSchema) {
		s.Spec.Gate = v1alpha1.GateDisabled
		s.Status.Gate.State = v1alpha1.GateHeld
	})
}

// rolling is one whose spec lets older pods run on, with an approval or without.
func rolling(number int, seen float64, approved string) version {
	return open(number, seen, 63, 66).also(func(s *v1alpha1.DatabaseSchema) {
		s.Spec.Rollout.Strategy = v1alpha1.StrategyRolling
		s.Annotations = map[string]string{v1alpha1.AnnotationApprove: approved}
	})
}

func edited(number int, seen float64, edit func(*v1alpha1.DatabaseSchema)) version {
	s := &v1alpha1.DatabaseSchema{}
	s.Namespace, s.Name, s.UID, s.ResourceVersion = schemaKey.Namespace, schemaKey.Name, "uid", strconv.Itoa(number)
	s.Generation, s.Status.ObservedGeneration = 1, new(int64(1))
	s.Spec.Gate, s.Status.Birth = v1alpha1.GateEnforced, v1alpha1.BirthPeewee
	edit(s)
	return version{schema: s, seen: second(seen)}
}

// also edits a version.
func (v version) also(edit func(*v1alpha1.DatabaseSchema)) version {
	edit(v.schema)
	return v
}

// missed says that a version is one of those that came after another, the others
// of which were not seen.
func (v version) missed(after int) version {
	v.after = strconv.Itoa(after)
	return v
}

func (v version) ended() version {
	v.gone = true
	return v
}

// seenPod is a pod that was there when the checker began.
func seenPod(image string) *pod {
	shape := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: image}}}}
	return &pod{name: podKey, schema: schemaKey, shape: shape, initial: true}
}

// letIn is a pod that was let in at a resourceVersion.
func letIn(image string, number int, seen float64) *pod {
	p := seenPod(image)
	p.initial = false
	p.letIn = &moment{version: strconv.Itoa(number), earliest: second(seen), latest: second(seen)}
	return p
}

// missed says that the pod was let in at some time after a resourceVersion, the
// events of which were not seen.
func (p *pod) missed(after int, since float64) *pod {
	p.letIn.after, p.letIn.earliest = strconv.Itoa(after), second(since)
	return p
}

func (p *pod) startedAt(s float64) *pod { p.starts = append(p.starts, second(s)); return p }
func (p *pod) deletedAt(s float64) *pod { p.deleted = second(s); return p }
func (p *pod) endedAt(s float64) *pod   { p.ended = second(s); return p }

func (p *pod) requires(value string) *pod {
	p.shape.Annotations = map[string]string{v1alpha1.AnnotationRequires: value}
	return p
}

// judgment is a history of one pod, and what has to be said of it.
type judgment struct {
	versions []version
	pod      *pod
	commits  []commit
	end      float64 // default 1000

	wrong string // in the violation; fine when empty
	stale bool   // tolerated
}

func (j judgment) check(t *testing.T, want Report) {
	t.Helper()
	if j.end == 0 {
		j.end = 1000
	}
	h := &history{
		begin: second(0), end: second(j.end),
		schemas: map[types.NamespacedName][]version{schemaKey: j.versions},
		pods:    []*pod{j.pod},
		commits: map[types.NamespacedName][]commit{},
	}
	if len(j.commits) > 0 {
		h.commits[schemaKey] = j.commits
	}
	got := evaluate(h, openWebUI(t), 10*time.Second)
	violations := got.Violations
	got.Violations = nil
	want.Pods = 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Report (-want +got):\n%s", diff)
	}
	switch {
	case j.wrong == "" && len(violations) > 0:
		t.Errorf("fine, and reported as:\n%s", strings.Join(violations, "\n"))
	case j.wrong != "" && len(violations) != 1:
		t.Errorf("%d violations, want one that says %q:\n%s", len(violations), j.wrong, strings.Join(violations, "\n"))
	case j.wrong != "":
		for _, says := range []string{j.wrong, podKey.String(), schemaKey.Name, "2026-01-01T00:00:"} {
			if !strings.Contains(violations[0], says) {
				t.Errorf("the violation does not say %q: %s", says, violations[0])
			}
		}
	}
}

// TestLetIn: the first rule, for pods that are admitted and for pods that are
// released.
func TestLetIn(t *testing.T) {
	t.Parallel()
	const none = "No status of the 10s before would have let it in."
	tests := map[string]judgment{
		"served":                       {versions: []version{open(10, 0, 63, 66)}, pod: letIn(oldImage, 20, 5)},
		"served, the version just now": {versions: []version{held(10, 0), open(19, 5, 63, 66)}, pod: letIn(oldImage, 20, 5)},
		"served by the next version only": {
			versions: []version{held(10, 0), open(21, 5, 63, 66)}, pod: letIn(oldImage, 20, 5),
			wrong: "The pod needs revision 66; DatabaseSchema open-webui serves none at the moment. " + none,
		},
		"numbers of another length": {versions: []version{held(9, 0), open(10, 1, 63, 66), held(101, 6)}, pod: letIn(oldImage, 100, 5)},
		"another interval": {
			versions: []version{open(10, 0, 68, 73)}, pod: letIn(oldImage, 20, 5),
			wrong: "default/pod (needs revision 66, by its image open-webui:v0.10.2)",
		},
		"says what was served":      {versions: []version{open(10, 0, 68, 73)}, pod: letIn(oldImage, 20, 5), wrong: "open-webui serves 68 to 73."},
		"by annotation":             {versions: []version{open(10, 0, 68, 73)}, pod: letIn(oldImage, 20, 5).requires("68")},
		"by annotation, not served": {versions: []version{open(10, 0, 68, 73)}, pod: letIn(newImage, 20, 5).requires("67"), wrong: `needs revision 67, by its annotation "67"`},
		"no known need":             {versions: []version{open(10, 0, 68, 73)}, pod: letIn("open-webui:main", 20, 5), wrong: "needs no known revision"},
		"an explicit target": {
			versions: []version{open(10, 0, 68, 73).also(func(s *v1alpha1.DatabaseSchema) {
				s.Spec.Target.Type = v1alpha1.TargetRevision
				s.Status.TargetRevision.Version = 70
			})},
			pod: letIn("open-webui:main", 20, 5),
		},
		"of an older generation": {
			versions: []version{open(10, 0, 63, 66).also(func(s *v1alpha1.DatabaseSchema) { s.Generation++ })}, pod: letIn(oldImage, 20, 5),
			wrong: "has changed and was not looked at yet",
		},
		"no schema":             {pod: letIn(oldImage, 20, 5), wrong: "does not exist in its namespace. " + none},
		"no schema yet":         {versions: []version{open(30, 6, 63, 66)}, pod: letIn(oldImage, 20, 5), wrong: "of which there was none"},
		"the gate switched off": {versions: []version{disarmed(10, 0)}, pod: letIn("open-webui:main", 20, 5)},
		"the gate switched off, being deleted": {
			versions: []version{disarmed(10, 0).also(func(s *v1alpha1.DatabaseSchema) { s.DeletionTimestamp = &metav1.Time{Time: start} })},
			pod:      letIn(oldImage, 20, 5),
		},
		"there before, whatever is": {versions: []version{held(10, 0)}, pod: seenPod(oldImage)},

		"stale, deleted":          {versions: []version{open(10, 0, 63, 66), held(15, 4)}, pod: letIn(oldImage, 20, 5).deletedAt(15), stale: true},
		"stale, not deleted":      {versions: []version{open(10, 0, 63, 66), held(15, 4)}, pod: letIn(oldImage, 20, 5), wrong: "had to be deleted within 10s: its deletion was never asked for."},
		"stale, deleted too late": {versions: []version{open(10, 0, 63, 66), held(15, 4)}, pod: letIn(oldImage, 20, 5).deletedAt(16), wrong: "its deletion was asked for at 2026-01-01T00:00:16.000Z"},
		"stale, nobody saw on":    {versions: []version{open(10, 0, 63, 66), held(15, 4)}, pod: letIn(oldImage, 20, 5), end: 14, stale: true},
		"stale, two versions ago": {versions: []version{open(10, 0, 63, 66), open(13, 30, 68, 68), held(15, 31)}, pod: letIn(oldImage, 20, 32).deletedAt(33), stale: true},
		"stale for too long":      {versions: []version{open(10, 0, 63, 66), held(15, 4)}, pod: letIn(oldImage, 20, 15).deletedAt(16), wrong: none},
		"stale, never served":     {versions: []version{open(10, 0, 68, 73), held(15, 4)}, pod: letIn(oldImage, 20, 5).deletedAt(6), wrong: none},
		"stale, and served again": {
			versions: []version{open(10, 0, 63, 66), held(15, 4), open(21, 6, 63, 66)}, pod: letIn(oldImage, 20, 5),
			wrong: "It was served again by resourceVersion 21, seen at 2026-01-01T00:00:06.000Z.",
		},
		"stale, of another DatabaseSchema": {
			versions: []version{open(10, 0, 63, 66), held(15, 4).also(func(s *v1alpha1.DatabaseSchema) { s.UID = "other" })},
			pod:      letIn(oldImage, 20, 5).deletedAt(6), wrong: none,
		},
		"stale, of a deleted one":        {versions: []version{open(10, 0, 63, 66), held(15, 4).ended()}, pod: letIn(oldImage, 20, 5).deletedAt(6), stale: true},
		"of one that was deleted before": {versions: []version{open(10, 0, 63, 66), held(15, 4).ended()}, pod: letIn(oldImage, 20, 50).deletedAt(51), wrong: "does not exist"},
		"of one that is being deleted": {
			versions: []version{open(10, 0, 63, 66).also(func(s *v1alpha1.DatabaseSchema) { s.DeletionTimestamp = &metav1.Time{Time: start} })},
			pod:      letIn(oldImage, 20, 5), wrong: "is being deleted",
		},

		"not seen when, and served in between":  {versions: []version{held(10, 0), open(20, 5, 63, 66), held(30, 8)}, pod: letIn(oldImage, 40, 60).missed(15, 4)},
		"not seen when, and served at first":    {versions: []version{open(10, 0, 63, 66), held(30, 8)}, pod: letIn(oldImage, 40, 60).missed(15, 4)},
		"not seen when, and never served":       {versions: []version{open(5, 0, 63, 66), held(10, 1), held(30, 8)}, pod: letIn(oldImage, 40, 60).missed(12, 40).deletedAt(61), wrong: none},
		"not seen when, and stale":              {versions: []version{open(5, 0, 63, 66), held(10, 1), held(30, 8)}, pod: letIn(oldImage, 40, 60).missed(15, 4).deletedAt(61), stale: true},
		"not seen what was in force":            {versions: []version{held(10, 0), open(30, 60, 63, 66).missed(15)}, pod: letIn(oldImage, 20, 5)},
		"not seen what came in force only then": {versions: []version{held(10, 0), open(30, 60, 63, 66).missed(25)}, pod: letIn(oldImage, 20, 5), wrong: none},
	}
	for name, tc := range tests {
		for _, released := range []bool{false, true} {
			t.Run(name+", released "+strconv.FormatBool(released), func(t *testing.T) {
				t.Parallel()
				tc, want, copied := tc, Report{}, *tc.pod
				tc.pod = &copied
				if copied.letIn != nil {
					m := *copied.letIn
					m.released, copied.letIn = released, &m
					want.Releases, want.StaleReleases = count(released), count(released && tc.stale)
					want.Admissions, want.StaleAdmissions = count(!released), count(!released && tc.stale)
				}
				tc.check(t, want)
			})
		}
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestFence: the second rule. The database goes to revision 68, or elsewhere, at
// second 20.
func TestFence(t *testing.T) {
	t.Parallel()
	ran := func(image string) *pod { return letIn(image, 11, 1).startedAt(2) }
	up := []commit{{from: 67, to: 68, at: second(20)}}
	down := []commit{{from: 73, to: 72, at: second(20)}}
	breaking := []commit{{from: 62, to: 63, at: second(20)}}
	serving := func(from, to int32) []version { return []version{open(10, 0, from, to), held(15, 10)} }
	tests := map[string]judgment{
		"gone before":             {pod: ran(oldImage).deletedAt(11).endedAt(12), commits: up},
		"gone within the second":  {pod: ran(oldImage).deletedAt(11).endedAt(21), commits: up},
		"gone later":              {pod: ran(oldImage).deletedAt(11).endedAt(21.1), commits: up, wrong: "it ended at 2026-01-01T00:00:21.100Z"},
		"terminating for ever":    {pod: ran(oldImage).deletedAt(11), commits: up, wrong: "its deletion was asked for at 2026-01-01T00:00:11.000Z, and it was there to the end"},
		"left alone":              {pod: ran(oldImage), commits: up, wrong: "went from revision 67 to 68 at 2026-01-01T00:00:20.000Z, where it serves 68 to 68"},
		"says when it started":    {pod: ran(oldImage).startedAt(9), commits: up, wrong: "was started at 2026-01-01T00:00:02.000Z, its deletion was never asked for"},
		"never started":           {pod: letIn(oldImage, 11, 1), commits: up},
		"started at the moment":   {pod: letIn(oldImage, 11, 1).startedAt(19.5), commits: up},
		"started just before":     {pod: letIn(oldImage, 11, 1).startedAt(19), commits: up, wrong: "ran when"},
		"there from the start on": {pod: seenPod(oldImage).startedAt(-100), commits: up, wrong: "ran when"},
		"served after":            {pod: ran(oldImage), commits: []commit{{from: 66, to: 67, at: second(20)}}},
		"an additive revision": {
			// What it serves no longer, it has served no longer before.
			versions: serving(63, 66), pod: seenPod(oldImage).startedAt(-100), commits: []commit{{from: 68, to: 69, at: second(20)}},
		},
		"rolling":                {versions: []version{rolling(10, 0, "")}, pod: ran(oldImage), commits: up},
		"rolling, since then":    {versions: []version{open(10, 0, 63, 66), rolling(15, 22, "")}, pod: ran(oldImage), commits: up, wrong: "ran when"},
		"rolling over breaking":  {versions: []version{rolling(10, 0, "")}, pod: seenPod("open-webui:v0.9.6").startedAt(2), commits: breaking, wrong: "ran when"},
		"rolling, approved":      {versions: []version{rolling(10, 0, "a0")}, pod: seenPod("open-webui:v0.9.6").startedAt(2), commits: breaking},
		"rolling, down":          {versions: []version{rolling(10, 0, "a0")}, pod: seenPod(newImage).startedAt(2), commits: down, wrong: "ran when"},
		"all in one transaction": {pod: ran(oldImage), commits: []commit{{from: 66, to: 73, at: second(20)}}, wrong: "from revision 66 to 73"},
		"the last of several":    {pod: ran(oldImage), commits: []commit{{from: 67, to: 68, at: second(20)}, {from: 66, to: 67, at: second(19)}}, wrong: "from revision 67 to 68"},
		"down, gone before":      {versions: serving(68, 73), pod: ran(newImage).endedAt(12), commits: down},
		"down, left alone":       {versions: serving(68, 73), pod: ran(newImage), commits: down, wrong: "from revision 73 to 72 at 2026-01-01T00:00:20.000Z, where it serves 68 to 72"},
		"down, served after":     {versions: serving(68, 73), pod: ran("open-webui:main").requires("70"), commits: down},
		"down, needs the target of its time": {
			versions: []version{
				open(10, 0, 68, 73).also(func(s *v1alpha1.DatabaseSchema) {
					s.Spec.Target.Type = v1alpha1.TargetRevision
					s.Status.TargetRevision.Version = 73
				}),
				held(15, 10),
			},
			pod: ran("open-webui:main"), commits: down, wrong: "needs revision 73, by its image open-webui:main",
		},
		"the gate switched off":        {versions: []version{open(10, 0, 63, 66), disarmed(15, 10)}, pod: ran(oldImage), commits: up},
		"the gate switched off before": {versions: []version{disarmed(10, 0), held(15, 10)}, pod: ran(oldImage), commits: up, wrong: "ran when"},
		"the gate switched off later":  {versions: []version{open(10, 0, 63, 66), disarmed(15, 22)}, pod: ran(oldImage), commits: up, wrong: "ran when"},
		"needs nothing known":          {versions: []version{disarmed(10, 0), held(15, 10)}, pod: ran("open-webui:main"), commits: up},
		"a birth that serves less": {
			versions: []version{open(10, 0, 59, 62), held(15, 30).also(func(s *v1alpha1.DatabaseSchema) { s.Status.Birth = v1alpha1.BirthAlembic })},
			pod:      seenPod("open-webui:v0.9.3").startedAt(-100), commits: []commit{{from: 63, to: 62, at: second(20)}}, wrong: "where it serves 61 to 62",
		},
		"a birth that nobody knows": {
			versions: []version{open(10, 0, 59, 62).also(func(s *v1alpha1.DatabaseSchema) { s.Status.Birth = "" })},
			pod:      seenPod("open-webui:v0.9.3").startedAt(-100), commits: []commit{{from: 63, to: 62, at: second(20)}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.versions == nil {
				tc.versions = serving(63, 66)
			}
			tc.check(t, Report{Admissions: count(tc.pod.letIn != nil)})
		})
	}
}

// TestStart: the third rule. The database goes from revision 66 to 73 at second
// 20, and back at second 40.
func TestStart(t *testing.T) {
	t.Parallel()
	commits := []commit{{from: 73, to: 66, at: second(40)}, {from: 66, to: 73, at: second(20)}}
	both := []version{open(10, 0, 63, 66), open(12, 0, 68, 73)}
	old := func() *pod { return letIn(oldImage, 11, 1).endedAt(1) } // the second rule has nothing to say
	tests := map[string]judgment{
		"served":                 {pod: old().startedAt(5)},
		"served again":           {pod: old().startedAt(5).startedAt(41)},
		"not served":             {pod: old().startedAt(21), wrong: "was started at 2026-01-01T00:00:21.000Z while the database of DatabaseSchema open-webui was at revision 73, which serves 68 to 73."},
		"started again":          {pod: old().startedAt(5).startedAt(22), wrong: "00:00:22.000Z"},
		"the second of a change": {pod: old().startedAt(39)},
		"the second before that": {pod: old().startedAt(38.9), wrong: "at revision 73"},
		"the second of another":  {pod: old().startedAt(19.5)},
		"not yet served": {
			versions: []version{open(10, 0, 68, 73)}, pod: letIn(newImage, 11, 1).endedAt(1).startedAt(5), wrong: "at revision 66, which serves 63 to 66",
		},
		"neither before nor after a change": {
			versions: []version{open(10, 0, 68, 76)}, pod: letIn("open-webui:v0.11.1", 11, 1).endedAt(1).startedAt(39.5),
			wrong: "at revision 73, which serves 68 to 73, then at revision 66, which serves 63 to 66",
		},
		"an empty database": {
			pod: old().startedAt(5), commits: []commit{{from: 0, to: 66, at: second(20)}}, wrong: "at revision 0, which serves none",
		},
		"nobody knows the database":      {pod: old().startedAt(5), commits: []commit{}},
		"started before the checker was": {pod: &pod{name: podKey, schema: schemaKey, shape: seenPod(newImage).shape, initial: true, starts: []time.Time{second(-5)}, ended: second(1)}},
		"there before, started again":    {pod: seenPod(oldImage).startedAt(-5).startedAt(30).endedAt(1), wrong: "00:00:30.000Z"},
		"let in with the gate off":       {versions: []version{disarmed(10, 0), held(15, 2)}, pod: old().startedAt(30)},
		"started with the gate off":      {versions: []version{open(10, 0, 63, 66), disarmed(15, 20), held(16, 35)}, pod: old().startedAt(30)},
		"the gate off until just before": {versions: []version{open(10, 0, 63, 66), disarmed(15, 20), held(16, 29.5)}, pod: old().startedAt(30)},
		// The commit goes from 66 to 73, which is quiesce.
		"ran on by Rolling":            {versions: []version{rolling(10, 0, "")}, pod: old().startedAt(5).startedAt(22)},
		"first started after Rolling":  {versions: []version{rolling(10, 0, "")}, pod: old().startedAt(22), wrong: "00:00:22.000Z"},
		"Rolling at another time":      {versions: []version{open(10, 0, 63, 66), rolling(15, 25, "")}, pod: old().startedAt(5).startedAt(28), wrong: "00:00:28.000Z"},
		"the gate off at another time": {versions: []version{open(10, 0, 63, 66), disarmed(15, 20), held(16, 25)}, pod: old().startedAt(30), wrong: "at revision 73"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.versions == nil {
				tc.versions = both
			}
			if tc.commits == nil {
				tc.commits = commits
			}
			tc.check(t, Report{Admissions: count(tc.pod.letIn != nil)})
		})
	}
}

// TestReport: what keeps the checker from knowing comes first, then what was
// wrong in the order of time.
func TestReport(t *testing.T) {
	t.Parallel()
	late, early := letIn(oldImage, 20, 5), letIn(oldImage, 19, 4)
	late.name.Name, early.name.Name = "late", "early"
	h := &history{pods: []*pod{late, early}, flaws: []string{"blind"}, end: second(1000)}
	got := evaluate(h, openWebUI(t), time.Second)
	if len(got.Violations) != 3 || got.Violations[0] != "blind" ||
		!strings.Contains(got.Violations[1], "default/early") || !strings.Contains(got.Violations[2], "default/late") {
		t.Errorf("violations are:\n%s", strings.Join(got.Violations, "\n"))
	}
	if got.Pods != 2 || got.Admissions != 2 {
		t.Errorf("%+v", got)
	}
}
