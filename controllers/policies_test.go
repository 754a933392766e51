package controllers

import (
	"testing"
	"time"
)

// TestPoliciesPause: what was not found out, or is missing, is looked at again soon.
func TestPoliciesPause(t *testing.T) {
	t.Parallel()
	missing := []string{"MutatingAdmissionPolicy schemagate-add"}
	for name, tc := range map[string]struct {
		policies *Policies
		want     time.Duration
	}{
		"could not look":        {&Policies{Interval: 5 * time.Minute}, policiesRetry},
		"could not look, once":  {&Policies{}, policiesRetry},
		"missing":               {&Policies{Interval: 5 * time.Minute, looked: true, missing: missing}, policiesRecheck},
		"missing, asked often":  {&Policies{Interval: time.Second, looked: true, missing: missing}, time.Second},
		"missing, asked once":   {&Policies{looked: true, missing: missing}, 0},
		"all there":             {&Policies{Interval: 5 * time.Minute, looked: true}, 5 * time.Minute},
		"all there, asked once": {&Policies{looked: true}, 0},
	} {
		if got := tc.policies.pause(); got != tc.want {
			t.Errorf("%s: the pause is %s, want %s", name, got, tc.want)
		}
	}
}
