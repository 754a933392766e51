package controllers

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestHoldInForce: a hold counts from when this process has seen it, and every
// hold for itself.
func TestHoldInForce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &Holds{}
		a, b := types.NamespacedName{Name: "a"}, types.NamespacedName{Name: "b"}
		seen := func(what string, schema types.NamespacedName, id string, want time.Duration) {
			t.Helper()
			if got := h.InForce(schema, id); got != want {
				t.Errorf("%s: in force for %s, want %s", what, got, want)
			}
		}
		pass := func(d time.Duration) { <-time.After(d) }
		seen("first", a, "1", 0)
		pass(time.Second)
		seen("again", a, "1", time.Second)
		seen("another schema", b, "1", 0)
		seen("another hold", a, "2", 0)
		pass(time.Second)
		seen("the other schema again", b, "1", time.Second)
		seen("lifted", b, "", 0)
		seen("held again", b, "1", 0)
		h.Forget(a)
		seen("forgotten", a, "2", 0)
	})
}
