// Package requirement reads from a pod what it needs of its schema. The
// admission policies decide the same in CEL; both follow one table in the
// tests.
package requirement

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
)

// Source says what a requirement was read from.
type Source string

// Sources, in the order in which they are asked.
const (
	// FromAnnotation is the annotation schemagate.dev/requires.
	FromAnnotation Source = "Annotation"

	// FromImage is the tag of the application container's image.
	FromImage Source = "Image"

	// FromTarget is the explicit target of the schema: the image's tag names
	// no version, so the pod needs whatever the schema is told to be.
	FromTarget Source = "Target"
)

// Requirement is what a pod says it needs. Exactly one of App, Revision and
// "the explicit target" applies, as Source and the fields show.
type Requirement struct {
	// Source says what the requirement was read from.
	Source Source

	// App is the application release the pod runs; zero when the pod names a
	// revision or nothing at all.
	App appversion.Version

	// Revision is the revision that the annotation names, by order number or
	// id; empty otherwise.
	Revision string

	// Tag is the image's tag, for messages; empty when Source is FromAnnotation.
	Tag string
}

// UnknownError says that a pod does not tell what it needs. Such a pod waits,
// alone, until it is replaced by one that does: nothing is guessed.
type UnknownError struct {
	// Problem says what is wrong, Remedy what to do.
	Problem, Remedy string
}

// Error returns the problem and its remedy.
func (e *UnknownError) Error() string { return e.Problem + ": " + e.Remedy }

// revisionRef is what the annotation may name a revision by, the same as
// v1alpha1.RevisionRef.
var revisionRef = regexp.MustCompile(`^[A-Za-z0-9_]{1,32}$`)

// Of reads what the pod needs: the annotation schemagate.dev/requires, else
// the tag of the application container's image when it names a version, else
// the explicit target. Whether the schema has an explicit target, and which
// revision a release needs, is for the caller to find. The error is always an
// *UnknownError.
func Of(pod *corev1.Pod) (Requirement, error) {
	if value, ok := pod.Annotations[v1alpha1.AnnotationRequires]; ok {
		return ofAnnotation(value)
	}
	container, err := Container(pod)
	if err != nil {
		return Requirement{}, err
	}
	tag := Tag(container.Image)
	if version, err := appversion.Parse(tag); err == nil {
		return Requirement{Source: FromImage, App: version, Tag: tag}, nil
	}
	return Requirement{Source: FromTarget, Tag: tag}, nil
}

func ofAnnotation(value string) (Requirement, error) {
	if version, err := appversion.Parse(value); err == nil {
		return Requirement{Source: FromAnnotation, App: version}, nil
	}
	if revisionRef.MatchString(value) {
		return Requirement{Source: FromAnnotation, Revision: value}, nil
	}
	return Requirement{}, &UnknownError{
		Problem: fmt.Sprintf("annotation %s is %q", v1alpha1.AnnotationRequires, value),
		Remedy:  "set it to a three-part application version, a revision's order number or a revision id, or remove it",
	}
}

// Container returns the pod's application container: the one that the
// annotation schemagate.dev/container names, else the one named
// v1alpha1.DefaultContainer, else the only one. The error is always an
// *UnknownError.
func Container(pod *corev1.Pod) (*corev1.Container, error) {
	name, named := pod.Annotations[v1alpha1.AnnotationContainer]
	if !named {
		name = v1alpha1.DefaultContainer
	}
	containers := pod.Spec.Containers
	for i := range containers {
		if containers[i].Name == name {
			return &containers[i], nil
		}
	}
	if named {
		return nil, &UnknownError{
			Problem: fmt.Sprintf("annotation %s names %q, which the pod does not have", v1alpha1.AnnotationContainer, name),
			Remedy:  "set it to the name of the container that runs the application",
		}
	}
	if len(containers) == 1 {
		return &containers[0], nil
	}
	return nil, &UnknownError{
		Problem: fmt.Sprintf("none of the pod's %d containers is named %q", len(containers), v1alpha1.DefaultContainer),
		Remedy:  fmt.Sprintf("name the one that runs the application in the annotation %s", v1alpha1.AnnotationContainer),
	}
}

// Tag returns the tag of an image reference, and "" when it has none. A digest
// beside the tag is passed over; a registry's port is not a tag.
func Tag(image string) string {
	reference, _, _ := strings.Cut(image, "@")
	last := reference[strings.LastIndex(reference, "/")+1:]
	parts := strings.Split(last, ":")
	if len(parts) != 2 {
		return ""
	}
	return parts[1]
}
