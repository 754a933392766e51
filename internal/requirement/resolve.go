package requirement

import (
	"fmt"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
)

// Resolve returns the order number of the revision that the pod needs: of its
// release by the release table of the bundle and its overlay, of the revision
// that it names, or target, the order number of the schema's explicit target,
// 0 when it has none. The error is an *UnknownError, or a *bundle.OverlayError
// when the overlay is not valid.
func (r Requirement) Resolve(b *bundle.Bundle, target int, overlay ...bundle.Release) (int, error) {
	switch {
	case !r.App.IsZero():
		return r.ofRelease(b, overlay)
	case r.Source == FromAnnotation:
		return r.ofRevision(b)
	case target > 0:
		return target, nil
	default:
		return 0, r.unknownTag()
	}
}

func (r Requirement) ofRelease(b *bundle.Bundle, overlay []bundle.Release) (int, error) {
	// The table itself is asked first: what is wrong with the overlay is not
	// the pod's fault.
	if _, err := b.Releases(overlay...); err != nil {
		return 0, err
	}
	revision, err := b.RequiredBy(r.App, overlay...)
	if err != nil {
		return 0, &UnknownError{
			Problem: err.Error(),
			Remedy: fmt.Sprintf("install an operator that knows it, or say in spec.migrations.releases or in the pod's annotation %s which revision it needs",
				v1alpha1.AnnotationRequires),
		}
	}
	return revision.Version, nil
}

func (r Requirement) ofRevision(b *bundle.Bundle) (int, error) {
	// A pod needs a certain revision; "latest" would be another one with the
	// next operator.
	if r.Revision != bundle.Latest {
		if revision, err := b.Resolve(r.Revision); err == nil {
			return revision.Version, nil
		}
	}
	return 0, &UnknownError{
		Problem: fmt.Sprintf("annotation %s is %q, which is no revision of the bundle %s", v1alpha1.AnnotationRequires, r.Revision, b.Name),
		Remedy:  fmt.Sprintf("set it to a revision's id, to its order number from 1 to %d, or to a three-part application version", len(b.Revisions)),
	}
}

func (r Requirement) unknownTag() error {
	problem := "the application's image has no tag"
	if r.Tag != "" {
		problem = fmt.Sprintf("the tag %q of the application's image names no version", r.Tag)
	}
	return &UnknownError{
		Problem: problem,
		Remedy:  fmt.Sprintf("use a tag of three numbers such as v0.11.0, set the annotation %s on the pod, or give the schema an explicit spec.target", v1alpha1.AnnotationRequires),
	}
}
