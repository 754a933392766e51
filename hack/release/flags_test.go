package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSameFlags: the Makefile, the Dockerfile and a release compile the program
// alike; one that forgot a flag would have no version, or other bytes.
func TestSameFlags(t *testing.T) {
	t.Parallel()
	r := &release{version: version, commit: "cafe", epoch: 86_400}
	want := strings.Join(r.buildFlags(), " ")

	command := exec.CommandContext(t.Context(), "make", "--dry-run", "build", "VERSION="+version, "COMMIT=cafe", "SOURCE_DATE_EPOCH=86400")
	command.Dir = filepath.Join("..", "..")
	recipe, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, flagsOf(t, string(recipe))); diff != "" {
		t.Errorf("the flags of the Makefile (-release +Makefile):\n%s", diff)
	}

	dockerfile := read(t, filepath.Join("..", ".."), "Dockerfile")
	dockerfile = strings.ReplaceAll(dockerfile, "\\\n", " ")
	for name, value := range map[string]string{"VERSION": version, "COMMIT": "cafe", "DATE": "1970-01-02T00:00:00Z"} {
		if !strings.Contains(dockerfile, " "+name+"=unknown") {
			t.Errorf("the Dockerfile declares no argument %s", name)
		}
		dockerfile = strings.ReplaceAll(dockerfile, "$"+name, value)
	}
	if diff := cmp.Diff(want, flagsOf(t, dockerfile)); diff != "" {
		t.Errorf("the flags of the Dockerfile (-release +Dockerfile):\n%s", diff)
	}
}

// flagsOf returns what a text gives "go build" before the file to write, with one
// space between two words and without quotes.
func flagsOf(t *testing.T, text string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(line, "go build ")
		if !found {
			continue
		}
		if !strings.Contains(before, "CGO_ENABLED=0") {
			t.Errorf("cgo is not switched off in %q", line)
		}
		words := strings.Join(strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(after)), " ")
		flags, _, _ := strings.Cut(words, " -o ")
		return "build " + flags
	}
	t.Fatalf("there is no go build in:\n%s", text)
	return ""
}
