package version

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	recorded := &debug.BuildInfo{
		GoVersion: "go1.26.0",
		Main:      debug.Module{Version: "v0.2.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "beef"},
			{Key: "vcs.time", Value: "2026-02-02T00:00:00Z"},
			{Key: "vcs.modified", Value: "false"},
		},
	}
	modified := &debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "beef"}, {Key: "vcs.modified", Value: "true"},
	}}
	stamped := Info{Version: "v0.1.0", Commit: "cafe", Date: "2026-01-01T00:00:00Z"}

	tests := map[string]struct {
		stamped Info
		build   *debug.BuildInfo
		want    Info
	}{
		"stamped": {
			stamped: stamped, build: recorded,
			want: Info{Version: "v0.1.0", Commit: "cafe", Date: "2026-01-01T00:00:00Z", GoVersion: "go1.26.0"},
		},
		"recorded by Go": {
			build: recorded,
			want:  Info{Version: "v0.2.0", Commit: "beef", Date: "2026-02-02T00:00:00Z", GoVersion: "go1.26.0"},
		},
		"modified sources": {
			build: modified,
			want:  Info{Version: "unknown", Commit: "beef-dirty", Date: "unknown", GoVersion: "unknown"},
		},
		"modified, without version control": {
			build: &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}},
			want:  Info{Version: "unknown", Commit: "unknown", Date: "unknown", GoVersion: "unknown"},
		},
		"nothing known": {
			want: Info{Version: "unknown", Commit: "unknown", Date: "unknown", GoVersion: "unknown"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, resolve(test.stamped, test.build)); diff != "" {
				t.Errorf("build (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	if got := Get().GoVersion; got != runtime.Version() {
		t.Errorf("built with %s, want %s", got, runtime.Version())
	}
	if got := Version(); got == "" || got != Get().Version {
		t.Errorf("version %q, want that of Get, %q", got, Get().Version)
	}
}
