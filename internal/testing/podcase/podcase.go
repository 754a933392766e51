// Package podcase holds one table of pods and of what each of them needs. The
// Go code and the admission policies are both tested against it, so that they
// decide alike.
package podcase

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/requirement"
)

// Case is one pod.
type Case struct {
	Name string

	// Annotations of the pod; its containers; its init containers.
	Annotations    map[string]string
	Containers     []corev1.Container
	InitContainers []corev1.Container

	// Want is what the pod needs. It is of no meaning when Unknown is set.
	Want requirement.Requirement

	// Unknown says that the pod does not tell what it needs.
	Unknown bool
}

// Pod returns the case's pod, which asks for the named schema.
func (c Case) Pod(namespace, schema string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.GenerateName = namespace, "case-"
	pod.Labels = map[string]string{v1alpha1.LabelSchema: schema}
	pod.Annotations = c.Annotations
	pod.Spec.Containers = c.Containers
	pod.Spec.InitContainers = c.InitContainers
	return pod.DeepCopy()
}

// Cases returns the table.
func Cases() []Case {
	cases := images()
	cases = append(cases, containers()...)
	return append(cases, annotations()...)
}

// digest is one that an image reference can carry.
const digest = "@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func images() []Case {
	var cases []Case
	image := func(reference string, want requirement.Requirement) {
		cases = append(cases, Case{Name: "image " + reference, Containers: one("open-webui", reference), Want: want})
	}
	image("ghcr.io/open-webui/open-webui:v0.11.0", tagged("v0.11.0", 11, 0))
	image("ghcr.io/open-webui/open-webui:0.11.0", tagged("0.11.0", 11, 0))
	image("ghcr.io/open-webui/open-webui:0.11.0-cuda", tagged("0.11.0-cuda", 11, 0))
	image("ghcr.io/open-webui/open-webui:v0.11.0-cuda126", tagged("v0.11.0-cuda126", 11, 0))
	image("ghcr.io/open-webui/open-webui:v0.11.0-dev", tagged("v0.11.0-dev", 11, 0))
	image("ghcr.io/open-webui/open-webui:0.10.2", tagged("0.10.2", 10, 2))
	image("ghcr.io/open-webui/open-webui:v0.9.6", tagged("v0.9.6", 9, 6))
	image("ghcr.io/open-webui/open-webui:v0.11.1", tagged("v0.11.1", 11, 1))
	image("ghcr.io/open-webui/open-webui:v0.11.7", tagged("v0.11.7", 11, 7))
	image("ghcr.io/open-webui/open-webui:v0.110.0", tagged("v0.110.0", 110, 0))
	image("open-webui:0.11.0", tagged("0.11.0", 11, 0))
	image("localhost:5000/open-webui:0.11.0", tagged("0.11.0", 11, 0))
	image("registry.example.com:5000/a/b/open-webui:0.11.0", tagged("0.11.0", 11, 0))
	image("registry.example.com:5000/open-webui:0.11.0"+digest, tagged("0.11.0", 11, 0))
	image("ghcr.io/open-webui/open-webui:0.11", untagged("0.11"))
	image("ghcr.io/open-webui/open-webui:0", untagged("0"))
	image("ghcr.io/open-webui/open-webui:0.11.0.1", untagged("0.11.0.1"))
	image("ghcr.io/open-webui/open-webui:0.011.0", untagged("0.011.0"))
	image("ghcr.io/open-webui/open-webui:0.11.0_cuda", untagged("0.11.0_cuda"))
	image("ghcr.io/open-webui/open-webui:0.11.0cuda", untagged("0.11.0cuda"))
	image("ghcr.io/open-webui/open-webui:V0.11.0", untagged("V0.11.0"))
	image("ghcr.io/open-webui/open-webui:1000000.0.0", untagged("1000000.0.0"))
	image("ghcr.io/open-webui/open-webui:main", untagged("main"))
	image("ghcr.io/open-webui/open-webui:latest", untagged("latest"))
	image("ghcr.io/open-webui/open-webui:git-5be7cbf", untagged("git-5be7cbf"))
	image("ghcr.io/open-webui/open-webui:73", untagged("73"))
	image("ghcr.io/open-webui/open-webui:f0bd01a18a3d", untagged("f0bd01a18a3d"))
	image("ghcr.io/open-webui/open-webui", untagged(""))
	image("ghcr.io/open-webui/open-webui"+digest, untagged(""))
	image("registry.example.com:5000/open-webui", untagged(""))
	image("registry.example.com:5000/open-webui"+digest, untagged(""))
	return cases
}

func containers() []Case {
	const app, sidecar = "open-webui:0.11.0", "proxy:9.9.9"
	return []Case{
		{
			Name:       "only container has another name",
			Containers: one("web", app),
			Want:       tagged("0.11.0", 11, 0),
		},
		{
			Name:       "sidecar put first",
			Containers: append(one("proxy", sidecar), one("open-webui", app)...),
			Want:       tagged("0.11.0", 11, 0),
		},
		{
			Name:       "sidecar put last",
			Containers: append(one("open-webui", app), one("proxy", sidecar)...),
			Want:       tagged("0.11.0", 11, 0),
		},
		{
			Name:       "several containers, none with the default name",
			Containers: append(one("proxy", sidecar), one("web", app)...),
			Unknown:    true,
		},
		{
			Name:        "several containers, one named by the annotation",
			Annotations: map[string]string{v1alpha1.AnnotationContainer: "web"},
			Containers:  append(one("proxy", sidecar), one("web", app)...),
			Want:        tagged("0.11.0", 11, 0),
		},
		{
			Name:        "the annotation comes before the default name",
			Annotations: map[string]string{v1alpha1.AnnotationContainer: "web"},
			Containers:  append(one("open-webui", sidecar), one("web", app)...),
			Want:        tagged("0.11.0", 11, 0),
		},
		{
			Name:        "the annotation names a container that is not there",
			Annotations: map[string]string{v1alpha1.AnnotationContainer: "wbe"},
			Containers:  one("open-webui", app),
			Unknown:     true,
		},
		{
			Name:        "the annotation is empty",
			Annotations: map[string]string{v1alpha1.AnnotationContainer: ""},
			Containers:  one("open-webui", app),
			Unknown:     true,
		},
		{
			Name:           "init containers do not count",
			Containers:     one("web", app),
			InitContainers: append(one("wait", "busybox:1.36.1"), one("prepare", "open-webui:0.1.117")...),
			Want:           tagged("0.11.0", 11, 0),
		},
		{
			Name:           "an init container with the default name does not count",
			Containers:     append(one("proxy", sidecar), one("web", app)...),
			InitContainers: one("open-webui", app),
			Unknown:        true,
		},
	}
}

func annotations() []Case {
	var cases []Case
	requires := func(value string, want requirement.Requirement) {
		cases = append(cases, Case{
			Name:        "requires " + value,
			Annotations: map[string]string{v1alpha1.AnnotationRequires: value},
			Containers:  one("open-webui", "open-webui:main"),
			Want:        want,
		})
	}
	asks := func(app appversion.Version, revision string) requirement.Requirement {
		return requirement.Requirement{Source: requirement.FromAnnotation, App: app, Revision: revision}
	}
	requires("0.11.0", asks(appversion.Version{Minor: 11}, ""))
	requires("v0.11.0", asks(appversion.Version{Minor: 11}, ""))
	requires("0.10.2", asks(appversion.Version{Minor: 10, Patch: 2}, ""))
	requires("0.99.0", asks(appversion.Version{Minor: 99}, ""))
	requires("73", asks(appversion.Version{}, "73"))
	requires("0073", asks(appversion.Version{}, "0073"))
	requires("073", asks(appversion.Version{}, "073"))
	requires("67", asks(appversion.Version{}, "67"))
	requires("74", asks(appversion.Version{}, "74"))
	requires("0", asks(appversion.Version{}, "0"))
	requires("018", asks(appversion.Version{}, "018"))
	requires("f0bd01a18a3d", asks(appversion.Version{}, "f0bd01a18a3d"))
	requires("latest", asks(appversion.Version{}, "latest"))
	cases = append(cases, Case{
		Name:        "requires comes before the tag",
		Annotations: map[string]string{v1alpha1.AnnotationRequires: "0.9.6"},
		Containers:  one("open-webui", "open-webui:0.11.0"),
		Want:        asks(appversion.Version{Minor: 9, Patch: 6}, ""),
	}, Case{
		Name:        "requires does without an application container",
		Annotations: map[string]string{v1alpha1.AnnotationRequires: "0.11.0"},
		Containers:  append(one("a", "a:1"), one("b", "b:1")...),
		Want:        asks(appversion.Version{Minor: 11}, ""),
	})
	for _, value := range []string{"", "0.11", " 0.11.0", "0.11.0 or newer", "73;74", ">=0.11.0"} {
		cases = append(cases, Case{
			Name:        "requires " + value,
			Annotations: map[string]string{v1alpha1.AnnotationRequires: value},
			Containers:  one("open-webui", "open-webui:0.11.0"),
			Unknown:     true,
		})
	}
	return cases
}

func one(name, image string) []corev1.Container {
	return []corev1.Container{{Name: name, Image: image}}
}

func tagged(tag string, minor, patch int32) requirement.Requirement {
	return requirement.Requirement{
		Source: requirement.FromImage, Tag: tag, App: appversion.Version{Minor: minor, Patch: patch},
	}
}

func untagged(tag string) requirement.Requirement {
	return requirement.Requirement{Source: requirement.FromTarget, Tag: tag}
}
