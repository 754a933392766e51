package root

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
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
		"verify":                {"verify", url},
		"repair":                {"repair", url},
		"value of the target":   {"migrate", "--database-url=sqlite:///x.db", "--to", url},
		"value of drift":        {"migrate", "--to=latest", "--database-url=sqlite:///x.db", "--drift", url},
		"value of adopt":        {"migrate", "--to=latest", "--database-url=sqlite:///x.db", "--adopt", url},
		"nothing":               {"migrate"},
		"no database":           {"migrate", "--to", "latest"},
		"no value":              {"migrate", "--database-url"},
		"cluster's command":     {"kubectl", url},
		"name of a schema":      {"kubectl", "status", url},
		"too many schemas":      {"kubectl", "watch", "a", url},
		"flag of the cluster":   {"kubectl", "plan", "--url=" + url},
		"form of the output":    {"kubectl", "history", "-o", url},
		"no schema":             {"kubectl", "approve"},
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
	if out, code := run(t, "bundle", "shwo"); code != result.ExitUsage || !strings.Contains(out, "use bundle list or bundle show") {
		t.Errorf("bundle shwo: %d, %s", code, out)
	}
	if out, code := run(t, "version"); code != 0 || strings.TrimSpace(out) == "" {
		t.Errorf("version: %d, %s", code, out)
	}
	if out, code := run(t); code != 0 || !strings.Contains(out, "Exit codes: 0 done, 10 usage") {
		t.Errorf("help: %d, %s", code, out)
	}
}

// TestVerifyAndRepair damages a database, looks at it, and mends it.
func TestVerifyAndRepair(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "webui.db")
	database := "--database-url=sqlite:///" + file
	if out, code := run(t, "migrate", "--to=60", database); code != 0 {
		t.Fatalf("migrate: %d, %s", code, out)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DROP INDEX folder_id_idx; CREATE TABLE mine (id integer)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"verify"}, result.ExitDrift, []string{"revision 60", "missing", "index folder_id_idx", "extra", "table mine"}},
		{[]string{"verify", "-o", "json"}, result.ExitDrift, []string{`"drifted": true`, `"additions": [`}},
		{[]string{"migrate", "--to=61", "--drift=block"}, result.ExitRefused, []string{"folder_id_idx"}},
		{[]string{"plan", "--to=61"}, 0, []string{"Drift: table chat: index folder_id_idx is missing"}},
		{[]string{"repair"}, 0, []string{"Would add: table chat: index folder_id_idx", "--apply"}},
		{[]string{"verify"}, result.ExitDrift, nil}, // nothing has changed
		{[]string{"repair", "--apply"}, 0, []string{"Added: table chat: index folder_id_idx"}},
		{[]string{"repair", "--apply"}, 0, []string{"It is what that revision leaves."}},
		{[]string{"verify"}, 0, []string{"It is what that revision leaves.", "table mine"}},
		{[]string{"migrate", "--to=61", "--drift=block"}, 0, nil},
	} {
		out, code := run(t, append(turn.args, database)...)
		if code != turn.code {
			t.Errorf("%q: exit code %d, want %d: %s", turn.args, code, turn.code, out)
		}
		for _, want := range turn.says {
			if !strings.Contains(out, want) {
				t.Errorf("%q does not say %q: %s", turn.args, want, out)
			}
		}
	}
}

// TestNoFile: looking at a SQLite file does not make it, and says that it is not
// there.
func TestNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "webui.db")
	for _, command := range [][]string{
		{"status"}, {"status"}, {"plan", "--to=60"}, {"migrate", "--to=60", "--dry-run"},
	} {
		database := "--database-url=sqlite:///" + path
		if out, code := run(t, append(command, database)...); code != 0 || !strings.Contains(out, "here is no such file, which counts as an empty database") {
			t.Errorf("%q: %d, %s", command, code, out)
		}
		if out, code := run(t, append(command, database, "--output=json")...); code != 0 || !strings.Contains(out, `"noFile": true`) {
			t.Errorf("%q as JSON: %d, %s", command, code, out)
		}
	}
	for _, command := range [][]string{{"catalog"}, {"verify"}, {"repair"}, {"repair", "--apply"}} {
		if out, code := run(t, append(command, "--database-url=sqlite:///"+path)...); code != result.ExitTransient || !strings.Contains(out, "there is no database file of that name: correct the path") {
			t.Errorf("%q: %d, %s", command, code, out)
		}
	}
	if matches, err := filepath.Glob(path + "*"); err != nil || len(matches) != 0 {
		t.Errorf("looking has made %v: %v", matches, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"status"}, {"verify"}, {"plan", "--to=60"}} {
		if out, code := run(t, append(command, "--database-url=sqlite:///"+path)...); code != 0 || strings.Contains(out, "no such file") {
			t.Errorf("%q of an empty file: %d, %s", command, code, out)
		}
	}
}

// TestForProgram: kubectl finds its plugins by name.
func TestForProgram(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"program":          {[]string{"/bin/schemagate", "kubectl", "--help"}, 0, "schemagate kubectl [command]"},
		"program has all":  {[]string{"schemagate", "--help"}, 0, "migrate "},
		"plugin":           {[]string{"/x/kubectl-schemagate", "--help"}, 0, "kubectl schemagate [command]"},
		"plugin's version": {[]string{"kubectl-schemagate.exe", "version"}, 0, ""},
		"plugin's command": {[]string{"kubectl-schemagate", "approve"}, result.ExitUsage, "kubectl schemagate approve NAME"},
		"plugin has less":  {[]string{"kubectl-schemagate", "migrate"}, result.ExitUsage, "unknown command; see kubectl schemagate --help"},
		"completion":       {[]string{"/x/kubectl_complete-schemagate", "st"}, 0, "status\t"},
		"for shells":       {[]string{"kubectl-schemagate", "completion", "bash"}, 0, "kubectl-schemagate"},
		"without a name":   {nil, 0, "Exit codes: 0 done, 10 usage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, args := ForProgram(tc.args)
			var out bytes.Buffer
			if code := Run(t.Context(), cmd, args, &out, &out); code != tc.code || !strings.Contains(out.String(), tc.says) {
				t.Errorf("exit code %d, want %d, and %q in\n%s", code, tc.code, tc.says, out.String())
			}
		})
	}
}

// TestWhole takes the embedded bundle from nothing to a revision and looks at
// what came of it, as a user would.
func TestWhole(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"postgres": postgres.Shared(t).NewDatabase(t),
		"sqlite":   "sqlite:///" + filepath.Join(t.TempDir(), "webui.db"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, step := range []struct {
				args []string
				want string
			}{
				{[]string{"plan", "--to", "009"}, "From revision 0 to 9, birth peewee, all in one transaction"},
				{[]string{"migrate", "--to", "0.1.117"}, "Done: the database is at revision "},
				{[]string{"migrate", "--to", "009"}, "Done: the database is at revision 9 (009, "},
				{[]string{"status"}, "migratehistory: 9 rows, the last is 009_add_models"},
				{[]string{"catalog"}, `"modelfile": {`},
				{[]string{"migrate", "--to", "0", "--allow-downgrade", "-o", "json"}, `"outcome":"done"`},
				{[]string{"status", "-o", "json"}, `"state": "empty"`},
			} {
				out, code := run(t, append(step.args, "--database-url", url)...)
				if code != 0 || !strings.Contains(out, step.want) {
					t.Fatalf("%v: exit code %d, want %q in\n%s", step.args, code, step.want, out)
				}
			}
		})
	}
}
