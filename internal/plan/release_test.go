package plan_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/plan"
)

// TestRelease: a gate is opened by what is recorded, and by nothing else.
func TestRelease(t *testing.T) {
	t.Parallel()
	// The schema serves 63 to 66, the releases from 0.10.0 on, before 0.11.0.
	recorded := func() *v1alpha1.DatabaseSchema {
		c := given().applied(66).turn()
		return c.Schema
	}
	held := func(s *v1alpha1.DatabaseSchema) {
		s.Status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateHeld, Decision: "plan"}
		s.Status.Serves = v1alpha1.Serves{}
	}
	explicit := func(version int32) func(*v1alpha1.DatabaseSchema) {
		return func(s *v1alpha1.DatabaseSchema) {
			s.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: "66"}
			s.Status.TargetRevision.Version = version
		}
	}
	const waits, unknown = v1alpha1.ReasonSchemaNotReady, v1alpha1.ReasonUnknownAppVersion
	tests := map[string]struct {
		change   func(*v1alpha1.DatabaseSchema)
		tag      string
		requires string
		noBundle bool
		reason   string // empty: allowed
		says     string
	}{
		"served":                      {tag: "v0.10.0"},
		"served, the last release":    {tag: "0.10.2-cuda"},
		"too new":                     {tag: "v0.11.0", reason: waits, says: "serves 63 to 66"},
		"too old":                     {tag: "v0.9.6", reason: waits, says: "serves 63 to 66"},
		"the lowest revision":         {tag: "main", requires: "63"},
		"below the lowest":            {tag: "main", requires: "62", reason: waits},
		"the annotation comes first":  {tag: "v0.10.0", requires: "0.11.0", reason: waits, says: "needs revision 73"},
		"no version, no target":       {tag: "main", reason: unknown, says: "names no version"},
		"no version, a target":        {change: explicit(66), tag: "main"},
		"no version, a target beyond": {change: explicit(73), tag: "main", reason: waits},
		"no version, no such target":  {change: explicit(0), tag: "main", reason: unknown},
		"a version, and a target":     {change: explicit(66), tag: "v0.11.0", reason: waits},
		"a release that is not known": {tag: "v0.12.0", reason: unknown, says: "0.12.0"},
		"the overlay knows it": {
			change: func(s *v1alpha1.DatabaseSchema) {
				s.Spec.Migrations.Releases = []v1alpha1.Release{{App: "0.12.0", Revision: "76"}}
			},
			tag: "v0.12.0", reason: waits, says: "needs revision 76",
		},
		"the overlay is wrong": {
			change: func(s *v1alpha1.DatabaseSchema) {
				s.Spec.Migrations.Releases = []v1alpha1.Release{{App: "0.1.0", Revision: "1"}}
			},
			tag: "v0.10.0", reason: unknown,
		},
		"no schema":     {change: func(s *v1alpha1.DatabaseSchema) { s.UID = "" }, tag: "v0.10.0", reason: v1alpha1.ReasonSchemaNotFound, says: "does not exist"},
		"being deleted": {change: func(s *v1alpha1.DatabaseSchema) { s.DeletionTimestamp = &metav1.Time{Time: start} }, tag: "v0.10.0", reason: v1alpha1.ReasonSchemaNotFound, says: "being deleted"},
		"being deleted, open": {change: func(s *v1alpha1.DatabaseSchema) {
			s.DeletionTimestamp = &metav1.Time{Time: start}
			s.Spec.Gate = v1alpha1.GateDisabled
		}, tag: "v0.10.0", reason: v1alpha1.ReasonSchemaNotFound},
		"open for all":           {change: func(s *v1alpha1.DatabaseSchema) { held(s); s.Spec.Gate = v1alpha1.GateDisabled }, tag: "main", noBundle: true},
		"no bundle":              {tag: "v0.10.0", noBundle: true, reason: waits, says: "does not have the bundle"},
		"not looked at":          {change: func(s *v1alpha1.DatabaseSchema) { s.Generation++ }, tag: "v0.10.0", reason: waits, says: "not looked at yet"},
		"never looked at":        {change: func(s *v1alpha1.DatabaseSchema) { s.Status = v1alpha1.DatabaseSchemaStatus{} }, tag: "v0.10.0", reason: waits},
		"held":                   {change: held, tag: "v0.10.0", reason: waits, says: "serves none"},
		"held, though it serves": {change: func(s *v1alpha1.DatabaseSchema) { s.Status.Gate.State = v1alpha1.GateHeld }, tag: "v0.10.0", reason: waits},
		"open, and serves none":  {change: func(s *v1alpha1.DatabaseSchema) { s.Status.Serves = v1alpha1.Serves{} }, tag: "v0.10.0", reason: waits},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := recorded()
			if tt.change != nil {
				tt.change(schema)
			}
			pod := simPod{name: "pod", tag: tt.tag}.object()
			if tt.requires != "" {
				pod.Annotations = map[string]string{v1alpha1.AnnotationRequires: tt.requires}
			}
			b := openWebUI()
			if tt.noBundle {
				b = nil
			}
			got := plan.Release(schema, b, pod)
			if got.Allowed != (tt.reason == "") || got.Reason != tt.reason || !strings.Contains(got.Message, tt.says) {
				t.Errorf("Release() = %+v, want reason %q and %q", got, tt.reason, tt.says)
			}
			if !got.Allowed && got.Message == "" {
				t.Error("a pod waits without a word")
			}
		})
	}
}

// TestReleaseContainers: a pod whose application container cannot be told waits.
func TestReleaseContainers(t *testing.T) {
	t.Parallel()
	pod := simPod{name: "pod", tag: "v0.10.0"}.object()
	pod.Spec.Containers = []corev1.Container{{Name: "a", Image: "a:v0.10.0"}, {Name: "b", Image: "b:v0.10.0"}}
	if got := plan.Release(given().applied(66).turn().Schema, openWebUI(), pod); got.Reason != v1alpha1.ReasonUnknownAppVersion {
		t.Errorf("Release() = %+v", got)
	}
}

// TestStaleTarget: a target that cannot be found leaves none behind by which
// pods without a version would be let through.
func TestStaleTarget(t *testing.T) {
	t.Parallel()
	c := given().applied(66).gated("v0.10.0").turn().toRevision("99").turn()
	pod := simPod{name: "pod", tag: "main"}.object()
	if got := plan.Release(c.Schema, c.Bundle, pod); got.Allowed {
		t.Errorf("a pod without a version is released by the target %+v of before", c.Schema.Status.TargetRevision)
	}
}

// TestOverlay: what cannot be a release is left out.
func TestOverlay(t *testing.T) {
	t.Parallel()
	c := given().overlay("0.12.0", "76").overlay("nonsense", "1")
	got := plan.Overlay(c.Schema.Spec)
	if len(got) != 1 || got[0] != (bundle.Release{App: got[0].App, Revision: "76"}) || got[0].App.String() != "0.12.0" {
		t.Errorf("Overlay() = %+v", got)
	}
}
