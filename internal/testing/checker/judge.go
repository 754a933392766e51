package checker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
)

// evaluate judges a history. It is a function of its arguments.
func evaluate(h *history, b *bundle.Bundle, stale time.Duration) Report {
	j := &judge{history: h, bundle: b, stale: stale}
	pods := map[types.NamespacedName][]judged{}
	for _, p := range h.pods {
		pods[p.schema] = append(pods[p.schema], j.pod(p))
	}
	for schema, commits := range h.commits {
		j.database(schema, commits, pods[schema])
	}
	slices.SortFunc(j.violations, func(a, b violation) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.text, b.text))
	})
	j.report.Violations = slices.Clone(h.flaws)
	for _, v := range j.violations {
		j.report.Violations = append(j.report.Violations, v.text)
	}
	j.report.Pods = len(h.pods)
	return j.report
}

type judge struct {
	*history
	bundle     *bundle.Bundle
	stale      time.Duration
	report     Report
	violations []violation
}

type violation struct {
	at   time.Time
	text string
}

func (j *judge) violated(at time.Time, format string, args ...any) {
	j.violations = append(j.violations, violation{at: at, text: fmt.Sprintf(format, args...)})
}

// judged is a pod, after it was judged how it was let in.
type judged struct {
	*pod

	// need is the revision that it needs; 0 when it does not tell.
	need int

	// open says that it was let in because spec.gate was Open.
	open bool
}

// pod judges how a pod was let in.
func (j *judge) pod(p *pod) judged {
	versions := j.schemas[p.schema]
	if p.letIn == nil {
		// One that was there before needs what it needed then.
		first := min(len(versions), 1) - 1
		return judged{pod: p, need: j.need(named(versions, first, p.schema), p)}
	}
	by := j.letIn(p, versions)
	return judged{pod: p, need: j.need(by, p), open: by.Spec.Gate == v1alpha1.GateDisabled}
}

// letIn judges that a pod was let in, and returns the schema by which it was; the
// one in force at the time, if no version would have let it in.
func (j *judge) letIn(p *pod, versions []version) *v1alpha1.DatabaseSchema {
	stale, what := &j.report.StaleAdmissions, "created without the gate"
	if p.letIn.released {
		stale, what = &j.report.StaleReleases, "released"
		j.report.Releases++
	} else {
		j.report.Admissions++
	}
	first, last := inForce(versions, *p.letIn)
	for i := last; i >= first; i-- {
		if schema := named(versions, i, p.schema); j.allows(schema, p) {
			return schema
		}
	}
	current := named(versions, last, p.schema)
	before := fmt.Sprintf("Pod %s (%s) was %s at %s (resourceVersion %s) against the status in force, %s: %s",
		p.name, needs(p, j.need(current, p)), what, stamp(p.letIn.latest), p.letIn.version, since(versions, last),
		plan.Release(current, j.bundle, p.shape).Message)
	older := j.staleVersion(p, versions, first)
	if older < 0 {
		j.violated(p.letIn.latest, "%s No status of the %s before would have let it in.", before, j.stale)
		return current
	}
	by := named(versions, older, p.schema)
	due := p.letIn.latest.Add(j.stale)
	switch {
	case p.deleted.IsZero() && j.end.Before(due), !p.deleted.IsZero() && !p.deleted.After(due):
		*stale++
	default:
		j.violated(p.letIn.latest, "%s A status before, %s, would have let it in, but then it had to be deleted within %s: %s.%s",
			before, since(versions, older), j.stale, p.deletion(), j.servedAgain(p, versions, last))
	}
	return by
}

// staleVersion returns the newest version of the same DatabaseSchema before the
// first that may have been in force which would have let the pod in, and was
// replaced not too long before; -1 if there is none.
func (j *judge) staleVersion(p *pod, versions []version, first int) int {
	for i := first - 1; i >= 0; i-- {
		replaced := versions[i+1].seen
		if versions[i].schema.UID != versions[first].schema.UID || replaced.Before(p.letIn.earliest.Add(-j.stale)) {
			return -1
		}
		if j.allows(named(versions, i, p.schema), p) {
			return i
		}
	}
	return -1
}

// servedAgain says, for whoever reads the report, when the pod could have been
// let in rightly.
func (j *judge) servedAgain(p *pod, versions []version, last int) string {
	for i := last + 1; i < len(versions); i++ {
		if j.allows(named(versions, i, p.schema), p) {
			return fmt.Sprintf(" It was served again by %s.", since(versions, i))
		}
	}
	return ""
}

// allows reports whether a schema lets a pod in.
func (j *judge) allows(schema *v1alpha1.DatabaseSchema, p *pod) bool {
	return schema.Spec.Gate == v1alpha1.GateDisabled || plan.Release(schema, j.bundle, p.shape).Allowed
}

// need returns the revision that a pod needs by a schema; 0 if it does not tell.
func (j *judge) need(schema *v1alpha1.DatabaseSchema, p *pod) int {
	needs, err := requirement.Of(p.shape)
	if err != nil {
		return 0
	}
	target := 0
	if kind := schema.Spec.Target.Type; kind != "" && kind != v1alpha1.TargetWorkload {
		target = int(schema.Status.TargetRevision.Version)
	}
	version, err := needs.Resolve(j.bundle, target, plan.Overlay(schema.Spec)...)
	if err != nil {
		return 0
	}
	return version
}

// named returns a version of a schema, or one that does not exist.
func named(versions []version, i int, name types.NamespacedName) *v1alpha1.DatabaseSchema {
	if i < 0 || versions[i].gone {
		schema := &v1alpha1.DatabaseSchema{}
		schema.Namespace, schema.Name = name.Namespace, name.Name
		return schema
	}
	return versions[i].schema
}

// since describes a version.
func since(versions []version, i int) string {
	if i < 0 {
		return "of which there was none"
	}
	v := versions[i]
	return fmt.Sprintf("resourceVersion %s, seen at %s", v.schema.ResourceVersion, stamp(v.seen))
}

// needs describes what a pod needs.
func needs(p *pod, need int) string {
	text := "needs no known revision"
	if need > 0 {
		text = fmt.Sprintf("needs revision %d", need)
	}
	if value, ok := p.shape.Annotations[v1alpha1.AnnotationRequires]; ok {
		return fmt.Sprintf("%s, by its annotation %q", text, value)
	}
	if container, err := requirement.Container(p.shape); err == nil {
		return fmt.Sprintf("%s, by its image %s", text, container.Image)
	}
	return text
}

// stamp writes a time, finer than Kubernetes does.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// deletion says when the deletion of the pod was asked for.
func (p *pod) deletion() string {
	if p.deleted.IsZero() {
		return "its deletion was never asked for"
	}
	return "its deletion was asked for at " + stamp(p.deleted)
}
