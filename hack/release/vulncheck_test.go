package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vulnDB writes a vulnerability database with these entries, in the form of
// vuln.go.dev.
func vulnDB(t *testing.T, entries ...map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	write := func(file string, content any) {
		t.Helper()
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules, vulns := []any{}, []any{}
	for _, entry := range entries {
		id := fmt.Sprint(entry["id"])
		write("ID/"+id+".json", entry)
		vulns = append(vulns, map[string]any{"id": id, "modified": entry["modified"]})
		modules = append(modules, map[string]any{"path": "stdlib", "vulns": []any{map[string]any{"id": id, "modified": entry["modified"]}}})
	}
	write("index/db.json", map[string]any{"modified": "2026-01-01T00:00:00Z"})
	write("index/modules.json", modules)
	write("index/vulns.json", vulns)
	return (&url.URL{Scheme: "file", Path: dir}).String()
}

func emptyVulnDB(t *testing.T) string {
	t.Helper()
	return vulnDB(t)
}

// TestVulncheck: a program that calls what is vulnerable is not released, and a
// database that cannot be reached is told about.
func TestVulncheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for file, content := range map[string]string{
		"go.mod":  "module example.test/program\n\ngo 1.26.0\n",
		"main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(len(os.Getenv(\"A\"))) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	if err := vulncheck(t.Context(), filepath.Join("..", "tool"), dir, emptyVulnDB(t), &log); err != nil || log.Len() > 0 {
		t.Errorf("without a vulnerability: %v %s", err, &log)
	}
	vulnerability := map[string]any{
		"schema_version": "1.3.1", "id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
		"summary": "An invented one", "details": "It is invented.",
		"database_specific": map[string]any{"url": "https://pkg.go.dev/vuln/GO-2026-0001"}, // govulncheck crashes without it, and may end with 0 then
		"affected": []any{map[string]any{
			"package":            map[string]any{"name": "stdlib", "ecosystem": "Go"},
			"ranges":             []any{map[string]any{"type": "SEMVER", "events": []any{map[string]any{"introduced": "0"}}}},
			"ecosystem_specific": map[string]any{"imports": []any{map[string]any{"path": "os", "symbols": []any{"Getenv"}}}},
		}},
	}
	if err := vulncheck(t.Context(), filepath.Join("..", "tool"), dir, vulnDB(t, vulnerability), &log); err == nil || !strings.Contains(err.Error(), "calls what is vulnerable") || !strings.Contains(err.Error(), "GO-2026-0001") {
		t.Errorf("with a vulnerability: %v", err)
	}
	if err := vulncheck(t.Context(), filepath.Join("..", "tool"), dir, "http://127.0.0.1:1", &log); err != nil || !strings.Contains(log.String(), "NOTHING WAS CHECKED") {
		t.Errorf("without a database: %v %s", err, &log)
	}
}
