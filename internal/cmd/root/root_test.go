package root

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

const canary = "canary-e2a7"

// run calls the program and returns everything it wrote, and its exit code.
func run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = Run(t.Context(), NewCmd(), args, &out, &out)
	return out.String(), code
}

// TestMistakesRepeatNothing: whatever is typed wrongly may be a URL.
func TestMistakesRepeatNothing(t *testing.T) {
	t.Setenv(connection.EnvURL, "")
	url := "postgres://u:" + canary + "@h/d"
	for name, args := range map[string][]string{
		"as a command":          {url},
		"as an argument":        {"migrate", url, "--to", "latest"},
		"one hyphen":            {"migrate", "-database-url=" + url},
		"unknown flag":          {"migrate", "--url=" + url},
		"value of another flag": {"migrate", "--lock-timeout", url},
		"value of an enum":      {"migrate", "--output", url},
		"value of a bool":       {"migrate", "--dry-run=" + url},
		"value of a number":     {"status", "--database-port", url},
		"target":                {"status", "--bundle", url},
		"bundle argument":       {"bundle", "show", url},
		"sub-command":           {"bundle", url},
		"version":               {"version", url},
		"plan":                  {"plan", url},
		"help":                  {"help", url},
		"nothing":               {"migrate"},
		"no database":           {"migrate", "--to", "latest"},
		"no value":              {"migrate", "--database-url"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, args...)
			if code != result.ExitUsage {
				t.Errorf("exit code %d, want %d", code, result.ExitUsage)
			}
			if strings.Contains(out, canary) || !strings.HasPrefix(out, "schemagate: ") || strings.Count(out, "\n") != 1 {
				t.Errorf("the output is %q", out)
			}
		})
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	if out, code := run(t, "bundle", "list"); code != 0 || !strings.Contains(out, "open-webui") {
		t.Errorf("bundle list: %d, %s", code, out)
	}
	if out, code := run(t, "bundle", "show"); code != 0 || !strings.Contains(out, "d4c1a8e37b62") {
		t.Errorf("bundle show: %d, %s", code, out)
	}
	if out, code := run(t, "bundle", "show", "-o", "json"); code != 0 || !strings.HasPrefix(out, "{") {
		t.Errorf("bundle show -o json: %d, %s", code, out)
	}
	if out, code := run(t, "version"); code != 0 || strings.TrimSpace(out) == "" {
		t.Errorf("version: %d, %s", code, out)
	}
	if out, code := run(t); code != 0 || !strings.Contains(out, "Exit codes: 0 done, 10 usage") {
		t.Errorf("help: %d, %s", code, out)
	}
}

// TestStatusOfNothing: looking at a SQLite file does not make it.
func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "webui.db")
	for range 2 {
		if out, code := run(t, "status", "--database-url", "sqlite:///"+path); code != 0 || !strings.Contains(out, "the database is empty") {
			t.Errorf("status: %d, %s", code, out)
		}
	}
	if matches, err := filepath.Glob(path + "*"); err != nil || len(matches) != 0 {
		t.Errorf("status has made %v: %v", matches, err)
	}
}
