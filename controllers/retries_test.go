package controllers

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestRetries: the pause after errors does not grow beyond what a person waits for who
// has mended what was wrong.
func TestRetries(t *testing.T) {
	t.Parallel()
	limiter := retries()
	first, last := limiter.When(reconcile.Request{}), retryMin
	for range 100 {
		last = limiter.When(reconcile.Request{})
	}
	if first != retryMin || last != retryMax {
		t.Errorf("the pauses go from %s to %s, want %s to %s", first, last, retryMin, retryMax)
	}
}
