package kubectl

import (
	"io"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/superseded"
)

// TestOutdated: what the operator has said before the last change ends no watch, and
// whatever it stays with does.
func TestOutdated(t *testing.T) {
	t.Parallel()
	asks := func(annotation, value string) func(*view) {
		return func(v *view) { v.schema.Annotations = map[string]string{annotation: value} }
	}
	stalled := func(reason string) func(*view) {
		return func(v *view) { stalls(reason, "Mend it.")(v.schema) }
	}
	failed := func(v *view) {
		attempted(3, nil, 60, v1alpha1.AttemptFailed)(v.schema)
		stalls("UnknownDatabase", "It is another one.")(v.schema)
	}
	waits := func(name, image string) func(*view) {
		return func(v *view) { v.pods = append(v.pods, pod(name, image, true)) }
	}
	counts := func(waiting int32) func(*view) {
		return func(v *view) { v.schema.Status.WaitingPods = &waiting }
	}
	for name, tc := range map[string]struct {
		changes []func(*view)
		// once says that it is outdated when it is seen first, and later that it still is
		// when it has not changed for as long as an operator may take.
		once, later bool
	}{
		"ready":                              {},
		"a change of the spec":               {[]func(*view){func(v *view) { v.schema.Generation++ }}, true, true},
		"a retry":                            {[]func(*view){asks(v1alpha1.AnnotationRetry, "1")}, true, true},
		"a look":                             {[]func(*view){asks(v1alpha1.AnnotationVerify, "1")}, true, true},
		"a retry that has begun":             {[]func(*view){asks(v1alpha1.AnnotationRetry, "1"), func(v *view) { v.schema.Status.LastHandledRetry = "1" }}, false, false},
		"a look that has begun":              {[]func(*view){asks(v1alpha1.AnnotationVerify, "1"), func(v *view) { v.schema.Status.LastHandledVerify = "1" }}, false, false},
		"a value that is kept as a digest":   {[]func(*view){asks(v1alpha1.AnnotationRetry, strings.Repeat("1", 129))}, false, false},
		"one that just is not":               {[]func(*view){asks(v1alpha1.AnnotationRetry, strings.Repeat("1", 128))}, true, true},
		"failed":                             {[]func(*view){failed}, false, false},
		"failed, and a retry":                {[]func(*view){failed, asks(v1alpha1.AnnotationRetry, "1")}, true, true},
		"a backup has failed":                {[]func(*view){stalled("BackupFailed")}, false, false},
		"a backup has failed, and a retry":   {[]func(*view){stalled("BackupFailed"), asks(v1alpha1.AnnotationRetry, "1")}, true, false},
		"what a retry does not help":         {[]func(*view){stalled("DowngradeRequired"), asks(v1alpha1.AnnotationRetry, "1")}, true, false},
		"a pod that is served":               {[]func(*view){waits("new", "open-webui:0.9.5")}, false, false},
		"a pod of a newer release":           {[]func(*view){waits("new", "open-webui:0.11.0")}, true, true},
		"a pod that is not all":              {[]func(*view){waits("new", "open-webui:0.11.0"), waits("odd", "open-webui:main"), counts(1)}, true, true},
		"a pod that the operator cannot see": {[]func(*view){waits("new", "open-webui:0.11.0"), counts(1)}, true, false},
		"a pod of an older release":          {[]func(*view){func(v *view) { v.pods = nil }, waits("old", "open-webui:0.6.6")}, true, true},
		"an older release beside the target": {[]func(*view){waits("old", "open-webui:0.6.6")}, false, false},
		"a pod that does not tell":           {[]func(*view){waits("odd", "open-webui:main")}, false, false},
		"nothing but one that does not tell": {[]func(*view){func(v *view) { v.pods = nil }, waits("odd", "open-webui:main")}, false, false},
		"a pod that ends": {[]func(*view){waits("new", "open-webui:0.11.0"), func(v *view) {
			v.pods[1].DeletionTimestamp = new(ago(time.Second))
		}}, false, false},
		"a pod that runs": {[]func(*view){func(v *view) { v.pods = append(v.pods, pod("new", "open-webui:0.11.0", false)) }}, false, false},
		"a pod that is replaced": {[]func(*view){waits("new", "open-webui:0.11.0"), func(v *view) {
			v.pods[1].OwnerReferences = []metav1.OwnerReference{{UID: "old", Controller: new(true)}}
			v.replaced = superseded.Owners{"old": true}
		}}, false, false},
		"nothing but a pod that is replaced": {[]func(*view){func(v *view) { v.pods = nil }, waits("new", "open-webui:0.11.0"), func(v *view) {
			v.pods[0].OwnerReferences = []metav1.OwnerReference{{UID: "old", Controller: new(true)}}
			v.replaced = superseded.Owners{"old": true}
		}}, false, false},
		"a pod that may be replaced": {[]func(*view){waits("new", "open-webui:0.11.0"), func(v *view) { v.unsure = true }}, false, false},
		"a target that is explicit": {[]func(*view){waits("new", "open-webui:0.11.0"), func(v *view) {
			v.schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: "60"}
		}}, false, false},
		"a first pod": {[]func(*view){func(v *view) {
			v.schema.Status.AppliedRevision, v.schema.Status.Serves, v.pods = v1alpha1.RevisionStatus{}, v1alpha1.Serves{}, nil
		}, waits("new", "open-webui:0.11.0")}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newView(t)
			for _, change := range tc.changes {
				change(v)
			}
			clock, s := now, newTestSession()
			s.now = func() time.Time { return clock }
			w := &watcher{watchCmd: &watchCmd{session: s}, out: io.Discard}
			if got := w.outdated(v); got != tc.once {
				t.Errorf("at first it is outdated: %t, want %t", got, tc.once)
			}
			clock = clock.Add(reactionTime - 1)
			if got := w.outdated(v); got != tc.once {
				t.Errorf("after a while it is outdated: %t, want %t", got, tc.once)
			}
			clock = clock.Add(1)
			if got := w.outdated(v); got != tc.later {
				t.Errorf("in the end it is outdated: %t, want %t", got, tc.later)
			}
		})
	}
}
