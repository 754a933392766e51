package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/embedded"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// canary is a secret that must not come out anywhere, rowCanary a value of a row
// that must not come out of JSON.
const (
	canary    = "canary-5c1d"
	rowCanary = "person@example.test"
)

// invented is a bundle whose third revision fails on a value of a row.
func invented(t *testing.T) func(string) (*embedded.Bundle, error) {
	t.Helper()
	files := fstest.MapFS{bundle.ManifestName: {Data: []byte(`name: invented
title: Invented
engines: [postgres, sqlite]
newestRelease: 0.0.3
bornAlembicFrom: 1
births:
- {name: peewee, first: 1, appFrom: 0.0.1}
- {name: alembic, first: 1, appFrom: 0.0.1}
revisions:
- {version: 1, id: aaaaaaaaaaaa, history: alembic, name: one, app: 0.0.1, touches: [t], label: additive, why: It is.}
- {version: 2, id: bbbbbbbbbbbb, history: alembic, name: two, app: 0.0.2, touches: [t], label: additive, why: It is.}
- {version: 3, id: cccccccccccc, history: alembic, name: three, app: 0.0.3, touches: [t], label: breaking, why: It is.}
`)}}
	for name, sql := range map[string][2]string{
		"001_one":   {"CREATE TABLE t (id text NOT NULL);\nINSERT INTO t VALUES ('" + rowCanary + "');", "DROP TABLE t;"},
		"002_two":   {"ALTER TABLE t ADD COLUMN n integer;", "ALTER TABLE t DROP COLUMN n;"},
		"003_three": {"SELECT 1;\nUPDATE t SET n = CAST(id AS integer);\nINSERT INTO t (id) VALUES (NULL);", "SELECT 1;"},
	} {
		for _, engine := range []string{"postgres", "sqlite"} {
			files[engine+"/"+name+".up.sql"] = &fstest.MapFile{Data: []byte(sql[0])}
			files[engine+"/"+name+".down.sql"] = &fstest.MapFile{Data: []byte(sql[1])}
		}
	}
	b, err := bundle.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return func(string) (*embedded.Bundle, error) { return &embedded.Bundle{Bundle: b, Files: files}, nil }
}

// call runs the command and returns what it printed and its exit code.
func call(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := newCmd(invented(t))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var out, stderr bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&stderr)
	err = cmd.ExecuteContext(t.Context())
	if stderr.Len() > 0 {
		t.Errorf("the command wrote to stderr itself: %s", stderr.String())
	}
	return out.String(), err
}

// lastResult decodes the last line of JSON output.
func lastResult(t *testing.T, stdout string) result.Result {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line is no JSON: %s", line)
		}
	}
	res, err := result.Decode([]byte(lines[len(lines)-1]))
	if err != nil {
		t.Fatalf("the last line is no result: %v\n%s", err, stdout)
	}
	return res
}

func databases(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"postgres": postgres.Shared(t).NewDatabase(t),
		"sqlite":   "sqlite:///" + filepath.Join(t.TempDir(), "webui.db"),
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := call(t, "--database-url", databaseURL, "--to", "2")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"001 aaaaaaaaaaaa applied in ", "002 bbbbbbbbbbbb applied in ", "Done: the database is at revision 2 (bbbbbbbbbbbb, application 0.0.2), 2 revisions"} {
				if !strings.Contains(out, want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "\x1b") {
				t.Errorf("a bar is drawn where there is no terminal: %q", out)
			}
			out, err = call(t, "--database-url", databaseURL, "--to", "2")
			if err != nil || !strings.Contains(out, "Nothing to do: the database is at revision 2") {
				t.Errorf("the second run said %q, %v", out, err)
			}
			_, err = call(t, "--database-url", databaseURL, "--to", "3")
			if exit.Code(err) != result.ExitPermanent || !strings.Contains(err.Error(), "003_three.up.sql:") {
				t.Errorf("the failure is %v", err)
			}
			_, err = call(t, "--database-url", databaseURL, "--to", "1")
			if exit.Code(err) != result.ExitRefused {
				t.Errorf("the downgrade ended with %v", err)
			}
			out, err = call(t, "--database-url", databaseURL, "--to", "1", "--allow-downgrade")
			if err != nil || !strings.Contains(out, "002 bbbbbbbbbbbb reverted in ") {
				t.Errorf("the downgrade said %q, %v", out, err)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "result")
			out, err := call(t, "--database-url", databaseURL, "--to", "2", "-o", "json", "--result-file", file,
				"--owner-cluster", "c", "--owner-namespace", "ns", "--owner-name", "n", "--owner-uid", "u")
			if err != nil {
				t.Fatal(err)
			}
			if res := lastResult(t, out); res.Outcome != result.Done || res.To != 2 || res.Applied != 2 || res.Birth != "alembic" {
				t.Errorf("the result is %+v", res)
			}
			written, err := os.ReadFile(file)
			if err != nil || !strings.HasSuffix(strings.TrimSpace(out), string(written)) {
				t.Errorf("the file holds %s: %v", written, err)
			}
			if strings.Count(out, `"kind":"applied"`) != 2 {
				t.Errorf("the progress is\n%s", out)
			}
		})
	}
}

func TestJSONFailures(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := []string{"--database-url", databaseURL, "-o", "json", "--to"}
			owner := []string{"--owner-cluster", "c", "--owner-namespace", "ns", "--owner-name", "n", "--owner-uid", "u"}
			if _, err := call(t, append(append(to, "2"), owner...)...); err != nil {
				t.Fatal(err)
			}
			out, err := call(t, append(to, "3")...)
			if res := lastResult(t, out); res.Reason != result.ReasonDatabaseOwned || exit.Code(err) != result.ExitRefused {
				t.Errorf("without the owner the result is %+v: %v", res, err)
			}
			out, err = call(t, append(to, "3", "--take-ownership")...)
			res := lastResult(t, out)
			if res.Reason != result.ReasonSQLError || res.Failure.Revision != 3 || res.Failure.Line == 0 || exit.Code(err) != result.ExitPermanent {
				t.Errorf("the failure is %+v: %v", res, err)
			}
			var coded *exit.Error
			if !errors.As(err, &coded) || coded.Err != nil {
				t.Errorf("the error would be printed: %v", err)
			}
			if strings.Contains(out+err.Error(), rowCanary) {
				t.Errorf("JSON output tells a value of a row:\n%s", out)
			}
		})
	}
}

// TestResultThatIsNotTold: a run whose result reaches nobody is no success to
// whoever waits for it, and says on stderr what is wrong.
func TestResultThatIsNotTold(t *testing.T) {
	t.Parallel()
	nowhere := []string{"--result-file", filepath.Join(t.TempDir(), "no", "such", "file")}
	for _, format := range []string{"text", "json"} {
		to := []string{"--database-url", "sqlite:///" + filepath.Join(t.TempDir(), "webui.db"), "-o", format, "--to"}
		_, err := call(t, append(append(to, "2"), nowhere...)...)
		var coded *exit.Error
		if exit.Code(err) != result.ExitPermanent || !errors.As(err, &coded) || coded.Err == nil || !strings.Contains(err.Error(), "writing the result") {
			t.Errorf("%s: a success ended with %v", format, err)
		}
		_, err = call(t, append(append(to, "3"), nowhere...)...)
		if exit.Code(err) != result.ExitPermanent || !strings.Contains(err.Error(), "writing the result") {
			t.Errorf("%s: a failure ended with %v", format, err)
		}
		if format == "json" && strings.Contains(err.Error(), "003_three") {
			t.Errorf("JSON output tells more than that: %v", err)
		}
		cmd := newCmd(invented(t))
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append(to, "2"))
		cmd.SetOut(brokenWriter{})
		if err := cmd.ExecuteContext(t.Context()); exit.Code(err) != result.ExitPermanent || !errors.Is(err, errBroken) {
			t.Errorf("%s: with output that breaks it ended with %v", format, err)
		}
	}
}

var errBroken = errors.New("the output is broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestDryRun(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the first one changed nothing
				out, err := call(t, "--database-url", databaseURL, "--to", "3", "--dry-run")
				if err != nil || !strings.Contains(out, "From revision 0 to 3, birth alembic, all in one transaction") || !strings.Contains(out, "breaking") {
					t.Errorf("the plan is %s: %v", out, err)
				}
			}
		})
	}
}

// TestNoSecretComesOut gives the password in every way that can go wrong and
// searches all output for it.
func TestNoSecretComesOut(t *testing.T) {
	server := postgres.Shared(t).NewDatabase(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(u *url.URL)) string {
		c := *u
		c.User = url.UserPassword("postgres", canary)
		change(&c)
		return c.String()
	}
	tests := map[string]struct {
		args []string
		env  map[string]string
		code int
	}{
		"wrong password":       {args: []string{"--database-url", with(func(*url.URL) {})}, code: result.ExitTransient},
		"nobody listens":       {args: []string{"--database-url", with(func(u *url.URL) { u.Host = "127.0.0.1:1" })}, code: result.ExitTransient},
		"does not parse":       {args: []string{"--database-url", "postgres://u:" + canary + "@h:x/"}, code: result.ExitUsage},
		"no scheme":            {args: []string{"--database-url", canary}, code: result.ExitUsage},
		"at sign in password":  {args: []string{"--database-url", "postgres://u:p@" + canary + "@h/d"}, code: result.ExitUsage},
		"from the environment": {env: map[string]string{connection.EnvURL: with(func(*url.URL) {})}, code: result.ExitTransient},
		"broken environment":   {env: map[string]string{connection.EnvURL: "postgres://u:" + canary}, code: result.ExitUsage},
		"fields": {
			args: []string{"--database-host", u.Hostname(), "--database-port", u.Port(), "--database-name", "x", "--database-user", "postgres"},
			env:  map[string]string{connection.EnvPassword: canary}, code: result.ExitTransient,
		},
		"both": {args: []string{"--database-url", with(func(*url.URL) {}), "--database-host", "h"}, code: result.ExitUsage},
		"wrong target": {
			args: []string{"--database-url", strings.Replace(server, "sslmode", "application_name="+canary+"&sslmode", 1), "--to", "no-such"}, code: result.ExitUsage,
		},
		"options": {args: []string{"--database-url", server + "&options=-c%20nonsense%3D" + canary}, code: result.ExitPermanent},
	}
	for name, tt := range tests {
		for _, format := range []string{"text", "json"} {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Setenv(connection.EnvURL, "")
				for key, value := range tt.env {
					t.Setenv(key, value)
				}
				file := filepath.Join(t.TempDir(), "result")
				out, err := call(t, append([]string{"--to", "2", "-o", format, "--result-file", file}, tt.args...)...)
				if exit.Code(err) != tt.code {
					t.Errorf("exit code %d, want %d: %v", exit.Code(err), tt.code, err)
				}
				written, readErr := os.ReadFile(file)
				if readErr != nil {
					t.Fatal(readErr)
				}
				if all := fmt.Sprint(out, err, string(written)); strings.Contains(all, canary) {
					t.Errorf("the secret comes out:\n%s", all)
				}
				if res, decodeErr := result.Decode(written); decodeErr != nil || res.ExitCode() != tt.code {
					t.Errorf("the result is %s: %v", written, decodeErr)
				}
			})
		}
	}
}

func TestBarOnATerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := &textReporter{w: &out, terminal: true}
	r.total, r.done = 4, 1
	r.draw("002 bbbb", false)
	r.line("002 applied")
	if want := "\r\x1b[K[======                  ] 1/4 002 bbbb\r\x1b[K002 applied\n"; out.String() != want {
		t.Errorf("the terminal shows %q, want %q", out.String(), want)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	cmd := newCmd(invented(t))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var out bytes.Buffer
	cmd.SetArgs([]string{"--database-url", "sqlite:///" + filepath.Join(t.TempDir(), "a.db"), "--to", "2", "-o", "json"})
	cmd.SetOut(&out)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := cmd.ExecuteContext(ctx)
	if res := lastResult(t, out.String()); res.Reason != result.ReasonInterrupted || exit.Code(err) != result.ExitTransient {
		t.Errorf("the result is %+v: %v", res, err)
	}
}
