package requirement_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/testing/podcase"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tc := range podcase.Cases() {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			got, err := requirement.Of(tc.Pod("default", "open-webui"))
			if tc.Unknown {
				var unknown *requirement.UnknownError
				if !errors.As(err, &unknown) {
					t.Fatalf("Of() = %+v, %v, want an UnknownError", got, err)
				}
				if unknown.Problem == "" || unknown.Remedy == "" {
					t.Errorf("Of() error %+v does not say what is wrong and what to do", unknown)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.Want, got); diff != "" {
				t.Errorf("Of() (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzTag(f *testing.F) {
	for _, tc := range podcase.Cases() {
		for _, c := range tc.Containers {
			f.Add(c.Image)
		}
	}
	f.Fuzz(func(t *testing.T, image string) {
		tag := requirement.Tag(image)
		if strings.ContainsAny(tag, "/@:") {
			t.Errorf("Tag(%q) = %q, which cannot be a tag", image, tag)
		}
		if tag != "" && !strings.Contains(image, ":"+tag) {
			t.Errorf("Tag(%q) = %q, which the image does not say", image, tag)
		}
	})
}

func FuzzOf(f *testing.F) {
	for _, tc := range podcase.Cases() {
		f.Add(tc.Containers[0].Image, tc.Annotations[v1alpha1.AnnotationRequires])
	}
	f.Fuzz(func(t *testing.T, image, requires string) {
		tc := podcase.Case{
			Annotations: map[string]string{v1alpha1.AnnotationRequires: requires},
			Containers:  podcase.Cases()[0].Containers[:1:1],
		}
		pod := tc.Pod("default", "open-webui")
		pod.Spec.Containers[0].Image = image
		if got, err := requirement.Of(pod); err == nil && got.Source != requirement.FromAnnotation {
			t.Errorf("Of() = %+v with the annotation %q", got, requires)
		}
		delete(pod.Annotations, v1alpha1.AnnotationRequires)
		got, err := requirement.Of(pod)
		if err != nil {
			t.Fatalf("Of() = %v for the only container", err)
		}
		if _, err := appversion.Parse(got.Tag); (err == nil) != (got.Source == requirement.FromImage) {
			t.Errorf("Of() = %+v for the image %q", got, image)
		}
	})
}
