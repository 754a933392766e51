package manager_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/schemagate/schemagate/internal/cmd/manager"
)

// lease sets the times of the leader's election.
func lease(duration, renew, retry time.Duration) func(*manager.Options) {
	return func(o *manager.Options) {
		o.LeaderElect, o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = true, duration, renew, retry
	}
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*manager.Options)
		says   []string // nothing: valid
	}{
		"as it comes":        {change: func(*manager.Options) {}},
		"some namespaces":    {change: func(o *manager.Options) { o.Namespaces = []string{"a", "b"} }},
		"text log":           {change: func(o *manager.Options) { o.LogFormat, o.LogLevel = "text", "debug" }},
		"bad namespace":      {change: func(o *manager.Options) { o.Namespaces = []string{"a", "B_"} }, says: []string{"--namespaces", `"B_"`, "lower case"}},
		"empty namespace":    {change: func(o *manager.Options) { o.Namespaces = []string{""} }, says: []string{"--namespaces", `""`}},
		"no image":           {change: func(o *manager.Options) { o.MigrationImage = "" }, says: []string{"--migration-image", "--pod-name"}},
		"own image":          {change: func(o *manager.Options) { o.MigrationImage, o.PodName, o.LeaderElectionNamespace = "", "a", "b" }},
		"odd cluster":        {change: func(o *manager.Options) { o.ClusterID = "a\nb" }, says: []string{"--cluster-id", `"a\nb"`, "printable"}},
		"namespace twice":    {change: func(o *manager.Options) { o.Namespaces = []string{"a", "a"} }, says: []string{"--namespaces", `"a" twice`}},
		"unknown format":     {change: func(o *manager.Options) { o.LogFormat = "yaml" }, says: []string{"--log-format", `"yaml"`, "json or text"}},
		"the leader's times": {change: lease(4*time.Second, 3*time.Second, time.Second)},
		"half a lease":       {change: lease(time.Second/2, time.Second/4, time.Second/8), says: []string{"--leader-elect-lease-duration", "500ms", "whole seconds"}},
		"renewed too late":   {change: lease(4*time.Second, 4*time.Second, time.Second), says: []string{"--leader-elect-renew-deadline", "4s", "less than"}},
		"tried too seldom":   {change: lease(4*time.Second, 3*time.Second, 5*time.Second/2), says: []string{"--leader-elect-retry-period", "2.5s", "3s by 1.2"}},
		"never tried":        {change: lease(4*time.Second, 3*time.Second, 0), says: []string{"--leader-elect-retry-period", "0s"}},
		"no such policy":     {change: func(o *manager.Options) { o.AdmissionPolicies = "maybe" }, says: []string{"--admission-policies", `"maybe"`, "Optional"}},
		"negative pause":     {change: func(o *manager.Options) { o.PoliciesInterval = -1 }, says: []string{"--admission-policies-interval", "-1ns"}},
		"unknown level":      {change: func(o *manager.Options) { o.LogLevel = "trace" }, says: []string{"--log-level", `"trace"`, "debug"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := manager.Options{MigrationImage: "schemagate:test", LogFormat: "json", LogLevel: "info"}
			tc.change(&options)
			err := options.Validate()
			if len(tc.says) == 0 {
				if err != nil {
					t.Errorf("Validate() = %v, want no error", err)
				}
				return
			}
			for _, part := range tc.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("Validate() = %v, want an error that says %s", err, part)
				}
			}
		})
	}
}

// TestOptionsComplete: outside a pod nothing tells where the Lease should be.
func TestOptionsComplete(t *testing.T) {
	t.Parallel()
	options := manager.Options{LeaderElect: true}
	if err := options.Complete(); err == nil || !strings.Contains(err.Error(), "--leader-election-namespace") {
		t.Errorf("Complete() = %v, want an error that names the flag", err)
	}
	options.LeaderElectionNamespace = "here"
	if err := options.Complete(); err != nil || options.LeaderElectionNamespace != "here" {
		t.Errorf("Complete() = %v, namespace %q", err, options.LeaderElectionNamespace)
	}
	alone := manager.Options{}
	if err := alone.Complete(); err != nil {
		t.Errorf("Complete() without leader election = %v", err)
	}
}

// TestTakeover: by default the longest that nobody leads after a crash is less than
// five seconds. Whoever waits hears of the last renewal up to one pause late, and
// tries to become the leader up to another one late.
func TestTakeover(t *testing.T) {
	t.Parallel()
	times := map[string]time.Duration{}
	cmd := manager.NewCmd()
	for _, name := range []string{"lease-duration", "retry-period"} {
		var err error
		if times[name], err = cmd.Flags().GetDuration("leader-elect-" + name); err != nil {
			t.Fatal(err)
		}
	}
	pause := time.Duration((1 + leaderelection.JitterFactor) * float64(times["retry-period"]))
	if longest := times["lease-duration"] + 2*pause; longest >= 5*time.Second {
		t.Errorf("another replica may take %s to take over", longest)
	}
}
