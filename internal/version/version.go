// Package version says which build of the program is running.
package version

import (
	"runtime/debug"
	"sync"
)

// Set by the linker, see LDFLAGS in the Makefile. Empty in a build without
// them, such as "go run" and "go install".
var (
	version string
	commit  string
	date    string
)

// unknown stands for what neither the linker nor Go's build information tells.
const unknown = "unknown"

// Info identifies a build.
type Info struct {
	// Version is the release, such as "v0.1.0", or what leads from the last
	// release to the commit, such as "v0.1.0-3-gdeadbee". "(devel)" is a build
	// of Go's own that knows no version.
	Version string `json:"version"`
	// Commit is the full hash, with "-dirty" when the sources differed from it.
	Commit string `json:"commit"`
	// Date is the time of the commit in RFC 3339, not of the build: the same
	// sources give the same program.
	Date string `json:"date"`
	// GoVersion is the version of the toolchain.
	GoVersion string `json:"goVersion"`
}

var get = sync.OnceValue(func() Info {
	build, _ := debug.ReadBuildInfo()
	return resolve(Info{Version: version, Commit: commit, Date: date}, build)
})

// Get returns what identifies this build. Nothing in it is empty; what is not
// known is "unknown".
func Get() Info { return get() }

// Version returns the Version of Get.
func Version() string { return get().Version }

// resolve completes what the linker has set from what the Go toolchain has
// recorded. build may be nil.
func resolve(info Info, build *debug.BuildInfo) Info {
	if build == nil {
		build = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := settings["vcs.revision"]
	if revision != "" && settings["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return Info{
		Version:   first(info.Version, build.Main.Version),
		Commit:    first(info.Commit, revision),
		Date:      first(info.Date, settings["vcs.time"]),
		GoVersion: first(build.GoVersion),
	}
}

func first(candidates ...string) string {
	for _, candidate := range candidates {
		if candidate != "" {
			return candidate
		}
	}
	return unknown
}
