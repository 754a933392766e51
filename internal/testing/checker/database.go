package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
)

// database judges the pods of a schema by what its database went through.
func (j *judge) database(schema types.NamespacedName, commits []commit, pods []judged) {
	commits = slices.Clone(commits)
	slices.SortStableFunc(commits, func(a, b commit) int { return a.at.Compare(b.at) })
	versions := j.schemas[schema]
	for _, c := range commits {
		if c.to < c.from || len(j.bundle.Fencing(c.from, c.to)) > 0 {
			j.fence(versions, c, pods)
		}
	}
	for _, p := range pods {
		for _, start := range p.starts {
			j.start(versions, commits, p, start)
		}
	}
}

// fence judges a commit that ends the service of some pods: none of them may be
// left.
func (j *judge) fence(versions []version, c commit, pods []judged) {
	if disabled(versions, c.at) || j.rolls(versions, c) {
		return
	}
	serves := j.interval(versions, c.to, c.at)
	for _, p := range pods {
		if p.need == 0 || serves.Serves(p.need) || !p.startedBefore(c.at) || p.endedBy(c.at.Add(granularity)) {
			continue
		}
		left := "it was there to the end"
		if !p.ended.IsZero() {
			left = "it ended at " + stamp(p.ended)
		}
		j.violated(c.at, "Pod %s (%s) ran when the database of DatabaseSchema %s went from revision %d to %d at %s, where it serves %s: "+
			"its container was started at %s, %s, and %s.",
			p.name, needs(p.pod, p.need), p.schema.Name, c.from, c.to, stamp(c.at), describe(serves),
			stamp(slices.MinFunc(p.starts, time.Time.Compare)), p.deletion(), left)
	}
}

// start judges that the container of a pod was started.
func (j *judge) start(versions []version, commits []commit, p judged, at time.Time) {
	if p.need == 0 || p.open || p.initial && at.Before(j.begin) || disabled(versions, at) || j.outlived(versions, commits, p, at) {
		return
	}
	var found []string
	for _, revision := range revisions(commits, at, at.Add(granularity)) {
		serves := j.interval(versions, revision, at)
		if serves.Serves(p.need) {
			return
		}
		found = append(found, fmt.Sprintf("at revision %d, which serves %s", revision, describe(serves)))
	}
	j.violated(at, "Pod %s (%s) was started at %s while the database of DatabaseSchema %s was %s.",
		p.name, needs(p.pod, p.need), stamp(at), p.schema.Name, strings.Join(found, ", then "))
}

// startedBefore reports whether a container was certainly started before a time.
func (p *pod) startedBefore(at time.Time) bool {
	return slices.ContainsFunc(p.starts, func(start time.Time) bool { return !start.Add(granularity).After(at) })
}

// endedBy reports whether the pod was gone at a time.
func (p *pod) endedBy(at time.Time) bool { return !p.ended.IsZero() && !p.ended.After(at) }

// disabled reports whether the gate may have been switched off at a time. Pods
// start then whatever the database holds, and nothing is promised.
func disabled(versions []version, at time.Time) bool {
	return slices.ContainsFunc(around(versions, at), func(v version) bool {
		return !v.gone && v.schema.Spec.Gate == v1alpha1.GateDisabled
	})
}

// rolls reports whether somebody may have asked at the time of a commit for older pods
// to run on: by the strategy Rolling and, where they break, by an approval as well.
// On a way down nobody can.
func (j *judge) rolls(versions []version, c commit) bool {
	breaking := slices.ContainsFunc(j.bundle.Fencing(c.from, max(c.from, c.to)), func(r bundle.Revision) bool { return r.Label != bundle.Quiesce })
	return c.to > c.from && slices.ContainsFunc(around(versions, c.at), func(v version) bool {
		return !v.gone && v.schema.Spec.Rollout.Strategy == v1alpha1.StrategyRolling &&
			(!breaking || v.schema.Annotations[v1alpha1.AnnotationApprove] != "")
	})
}

// outlived reports whether a pod ran on when its service ended, because somebody had
// asked for that: where it breaks, its container is started again and again.
func (j *judge) outlived(versions []version, commits []commit, p judged, at time.Time) bool {
	return slices.ContainsFunc(commits, func(c commit) bool {
		return !c.at.After(at.Add(granularity)) && p.startedBefore(c.at) && len(j.bundle.Fencing(c.from, max(c.from, c.to))) > 0 && j.rolls(versions, c)
	})
}

// interval returns what a database serves at a revision, at a time. The birth is
// recorded after the database was looked at, so what is recorded later counts. As
// long as it is not known at all, it limits nothing.
func (j *judge) interval(versions []version, revision int, at time.Time) bundle.Interval {
	var birth v1alpha1.Birth
	for _, v := range versions {
		if v.schema.Status.Birth != "" {
			birth = v.schema.Status.Birth
		}
		if birth != "" && !v.seen.Before(at) {
			break
		}
	}
	if birth != "" {
		return j.bundle.Interval(revision, bundle.Birth(birth))
	}
	var widest bundle.Interval
	for _, spec := range j.bundle.Births {
		interval := j.bundle.Interval(revision, spec.Name)
		if widest.From == 0 || interval.From > 0 && interval.From < widest.From {
			widest = interval
		}
	}
	return widest
}

func describe(serves bundle.Interval) string {
	if serves.From == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d", serves.From, serves.To)
}
