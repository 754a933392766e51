package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/migrations"
)

// TestRevisionTable compares docs/revisions.md with the manifest. After a change:
//
//	go test ./test/bundle -run TestRevisionTable -update
func TestRevisionTable(t *testing.T) {
	t.Parallel()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("# Revisions\n\nGenerated from the manifest. [The bundle](bundle.md) says what the columns mean.\n\n" +
		"| | id | name | first release | label | destructive | lossy down | checks |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range b.Revisions {
		var checks []string
		for _, c := range r.Preflight {
			checks = append(checks, c.Name)
		}
		fmt.Fprintf(&table, "| %d | `%s` | %s | %s | %s | %s | %s | %s |\n", r.Version, r.ID, r.Name, r.App, r.Label,
			mark(r.Destructive), mark(r.LossyDown != ""), strings.Join(checks, ", "))
	}
	file := filepath.Join(apiserver.RepositoryRoot(), "docs", "revisions.md")
	if *update {
		if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table.String(), string(have)); diff != "" {
		t.Errorf("docs/revisions.md is not that of the manifest (-manifest +file):\n%s", diff)
	}
}

func mark(is bool) string {
	if is {
		return "yes"
	}
	return ""
}
