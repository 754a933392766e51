package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSection(t *testing.T) {
	t.Parallel()
	changelog := "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-01\n\n### Added\n\n- Two.\n\n## [0.1.0] - 2026-01-01\n\n- One.\n"
	for version, want := range map[string]string{"0.2.0": "### Added\n\n- Two.\n", "0.1.0": "- One.\n"} {
		if got, err := section(changelog, version); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", version, got, err, want)
		}
	}
	for _, version := range []string{"0.3.0", "Unreleased", "0.1"} {
		if got, err := section(changelog, version); err == nil {
			t.Errorf("%s: %q, want an error", version, got)
		}
	}
}

// TestRefusals: what cannot be released is refused before anything is built, and
// nothing is removed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	root := checkout(t)
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "photo.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, args []string, want string) {
		t.Helper()
		err := run(t.Context(), append([]string{"-root", root}, args...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", what, err, want)
		}
	}
	empty := t.TempDir()
	refuse("no version", []string{"-out", empty}, "use a semantic version")
	refuse("no v", []string{"-out", empty, "-version", "0.1.0"}, "use a semantic version")
	refuse("a short version", []string{"-out", empty, "-version", "v0.1"}, "use a semantic version")
	refuse("no directory", []string{"-version", version}, "-out is empty")
	refuse("no section", []string{"-out", empty, "-version", "v9.0.0"}, "no section")
	refuse("a platform", []string{"-out", empty, "-version", version, "-platforms", "plan9/mips"}, `no platform "plan9/mips"`)
	refuse("no image", []string{"-out", empty, "-version", version, "-platforms", "windows/amd64"}, "none of Linux")
	refuse("a full directory", []string{"-out", precious, "-version", version}, "something else than a release")
	if err := os.WriteFile(filepath.Join(root, "new.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse("a change", []string{"-out", empty, "-version", version}, "new.go")
	if _, err := os.Stat(filepath.Join(precious, "photo.jpg")); err != nil {
		t.Error(err)
	}
}
