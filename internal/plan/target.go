package plan

import (
	"errors"
	"fmt"
	"math"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/requirement"
)

// Overlay returns the releases that a spec adds to its bundle. A release that
// does not parse, which the API server lets nobody write, is left out.
func Overlay(spec v1alpha1.DatabaseSchemaSpec) []bundle.Release {
	var overlay []bundle.Release
	for _, release := range spec.Migrations.Releases {
		if app, err := appversion.Parse(string(release.App)); err == nil {
			overlay = append(overlay, bundle.Release{App: app, Revision: string(release.Revision)})
		}
	}
	return overlay
}

// problem is what keeps a target from being found.
type problem struct{ reason, message string }

// resolve finds the target and counts the pods.
func (d *decider) resolve() *problem {
	d.overlay = Overlay(d.spec)
	if _, err := d.Bundle.Releases(d.overlay...); err != nil {
		d.countPods()
		return &problem{
			v1alpha1.ReasonInvalidReleases,
			fmt.Sprintf("spec.migrations.releases: %v. Correct or remove it.", err),
		}
	}
	explicit, bad := d.explicitTarget()
	d.explicit = explicit
	known := d.require()
	if bad != nil {
		d.status.TargetRevision = v1alpha1.RevisionStatus{}
		return bad
	}
	d.target = explicit
	if d.spec.Target.Type == v1alpha1.TargetWorkload || d.spec.Target.Type == "" {
		d.target = known
	}
	d.status.TargetRevision = RevisionOf(d.Bundle, d.target)
	if d.target == 0 && d.unknown > 0 {
		return &problem{v1alpha1.ReasonUnknownAppVersion, d.unknownMessage}
	}
	return nil
}

// explicitTarget returns the revision that the spec names, 0 if it names none.
func (d *decider) explicitTarget() (int, *problem) {
	var ref, field, reason, remedy string
	switch d.spec.Target.Type {
	case v1alpha1.TargetAppVersion:
		ref, field, reason = string(d.spec.Target.AppVersion), "spec.target.appVersion", v1alpha1.ReasonUnknownAppVersion
		remedy = "Correct it, install an operator that knows it, or say in spec.migrations.releases which revision it needs."
	case v1alpha1.TargetRevision:
		ref, field, reason = string(d.spec.Target.Revision), "spec.target.revision", v1alpha1.ReasonUnknownRevision
		remedy = "Correct it, or install an operator that knows it."
	case v1alpha1.TargetWorkload:
		return 0, nil
	default:
		return 0, nil
	}
	revision, err := d.Bundle.Resolve(ref, d.overlay...)
	if err != nil || ref == bundle.Latest {
		if err == nil {
			err = errors.New("a target is one revision, and the latest is another one with every operator")
		}
		return 0, &problem{reason, fmt.Sprintf("%s is %q: %v. %s", field, ref, err, remedy)}
	}
	return revision.Version, nil
}

// require returns the highest revision that a pod needs, 0 if none is known.
// Pods that their workload is about to replace count only where there is no
// other: after a rollback it is the older ones that are wanted, and in the middle
// of an upgrade those that were drained come back once more.
func (d *decider) require() int {
	d.countPods()
	wanted, superseded := 0, 0
	for _, pod := range d.Pods {
		need, err := d.resolveNeed(pod)
		switch unknown, ok := errors.AsType[*requirement.UnknownError](err); {
		case err == nil && pod.Terminating:
		case err == nil && pod.Superseded:
			superseded = max(superseded, need)
		case err == nil:
			wanted = max(wanted, need)
		case ok && pod.Gated:
			d.unknown++
			if d.unknownMessage == "" {
				d.unknownMessage = fmt.Sprintf("Pod %s waits because it does not tell which revision it needs: %s.", pod.Name, unknown)
			}
		}
	}
	if wanted == 0 {
		return superseded
	}
	return wanted
}

func (d *decider) resolveNeed(pod Pod) (int, error) {
	if pod.Unknown != nil {
		return 0, pod.Unknown
	}
	return pod.Requirement.Resolve(d.Bundle, d.explicit, d.overlay...)
}

// need returns the revision that a pod needs, if it can be told.
func (d *decider) need(pod Pod) (version int, known bool) {
	version, err := d.resolveNeed(pod)
	return version, err == nil
}

func (d *decider) countPods() {
	var waiting int32
	d.running = 0
	for _, pod := range d.Pods {
		switch {
		case !pod.Gated:
			d.running++
		case !pod.Terminating:
			waiting++
		}
	}
	d.status.WaitingPods = &waiting
}

// number is the order number of a revision as the API has it. What a Job reports
// is not trusted to be one.
func number(version int) int32 {
	if version < 0 || version > math.MaxInt32 {
		return 0
	}
	return int32(version)
}

// RevisionOf returns a revision of a bundle as the status has it; nothing for one
// that the bundle does not have.
func RevisionOf(b *bundle.Bundle, version int) v1alpha1.RevisionStatus {
	revision, ok := b.Revision(version)
	if !ok {
		return v1alpha1.RevisionStatus{}
	}
	return v1alpha1.RevisionStatus{
		Version: number(revision.Version), ID: revision.ID, Name: revision.Name, AppVersion: revision.App.String(),
	}
}
