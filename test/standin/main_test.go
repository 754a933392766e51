package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/openwebui"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/migrations"
)

// bring migrates a database, down too.
func bring(tb testing.TB, url string, version int, birth bundle.Birth) {
	tb.Helper()
	database, err := dburl.Parse(url)
	if err != nil {
		tb.Fatal(err)
	}
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		tb.Fatal(err)
	}
	catalogs, err := catalog.LoadSet(files)
	if err != nil {
		tb.Fatal(err)
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b, Files: files, Steps: openwebui.Steps(), Catalogs: catalogs, Database: database,
		Target: fmt.Sprint(version), Birth: string(birth), AllowDowngrade: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := runner.Run(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := runner.Close(); err != nil {
		tb.Fatal(err)
	}
}

// program is a stand-in that a test runs.
type program struct {
	standin
	env    map[string]string
	cancel context.CancelFunc
	output *output
	status chan int
	served chan net.Addr
}

// output is what the program writes, which the test reads at the same time.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func newProgram(release, url string) *program {
	p := &program{
		env:    map[string]string{"ENABLE_DB_MIGRATIONS": "false", "DATABASE_URL": url},
		output: &output{}, status: make(chan int, 1), served: make(chan net.Addr, 1),
	}
	p.standin = standin{
		release: release, getenv: func(name string) string { return p.env[name] },
		address: "127.0.0.1:0", patience: time.Minute, interval: 10 * time.Millisecond, checkTimeout: time.Minute,
		log: p.output, serving: func(address net.Addr) { p.served <- address },
	}
	return p
}

// start runs the program until the test ends or stops it.
func (p *program) start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	p.cancel = cancel
	tb.Cleanup(cancel)
	go func() { p.status <- p.run(ctx) }()
}

// wait returns where the program serves, and fails if it does not.
func (p *program) wait(tb testing.TB) string {
	tb.Helper()
	select {
	case address := <-p.served:
		return address.String()
	case status := <-p.status:
		tb.Fatalf("It ended with %d:\n%s", status, p.output)
	case <-time.After(time.Minute):
		tb.Fatalf("It does not serve:\n%s", p.output)
	}
	return ""
}

// end fails unless the program ends with a status and a text in its output,
// and without having told the database's password.
func (p *program) end(tb testing.TB, want int, text string) {
	tb.Helper()
	select {
	case got := <-p.status:
		if got != want || !strings.Contains(p.output.String(), text) {
			tb.Errorf("It ended with %d, want %d and %q:\n%s", got, want, text, p.output)
		}
	case <-time.After(time.Minute):
		tb.Errorf("It has not ended:\n%s", p.output)
	}
	database, err := dburl.Parse(p.env["DATABASE_URL"])
	if err == nil && database.Password != "" && strings.Contains(p.output.String(), database.Password) {
		tb.Errorf("It tells the password:\n%s", p.output)
	}
}

func get(tb testing.TB, url string) string {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

func TestReleases(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version int
		birth   bundle.Birth
		serve   []string          // releases that run
		refuse  map[string]string // releases that do not, and why
	}{
		"revision 18": {
			version: 18, birth: bundle.BirthPeewee,
			serve: []string{"0.2.0", "0.3.3", "0.3.6", "0.3.7", "0.3.8"}, // 0.3.8 changed nothing there
			refuse: map[string]string{
				"0.1.117": "requires revision 3 (003): column chat.timestamp is missing",
				"0.1.125": "requires revision 8 (008): table modelfile is missing",
				"0.3.16":  "requires revision 20 (ca81bd47c050): table config is missing",
				"0.3.31":  "requires revision 22 (6a39f3d8e55c): table config is missing",
			},
		},
		"revision 19": {
			version: 19, birth: bundle.BirthPeewee,
			serve:  []string{"0.3.6", "0.3.8"},
			refuse: map[string]string{"0.3.16": "requires revision 20 (ca81bd47c050): table config is missing"},
		},
		"revision 22": {
			version: 22, birth: bundle.BirthPeewee,
			serve:  []string{"0.2.0", "0.3.6", "0.3.16", "0.3.31", "0.3.32"},
			refuse: map[string]string{"0.1.119": "requires revision 3 (003): column chat."},
		},
		"revision 22, born alembic": {
			version: 22, birth: bundle.BirthAlembic,
			refuse: map[string]string{"0.3.31": "requires revision 22 (6a39f3d8e55c): table migratehistory is missing: the database was made for 0.9.6 or newer"},
		},
		"empty": {refuse: map[string]string{"0.3.6": "requires revision 18 (018): table auth is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgres.Shared(t).NewDatabase(t)
			if tt.version > 0 {
				bring(t, url, tt.version, tt.birth)
			}
			for _, release := range tt.serve {
				p := newProgram(release, url)
				p.start(t)
				address := p.wait(t)
				if got, want := get(t, "http://"+address+"/health"), "200 ok "+release+"\n"; got != want {
					t.Errorf("/health is %q, want %q", got, want)
				}
				p.cancel()
				p.end(t, exitDone, "Ended")
			}
			for release, why := range tt.refuse {
				p := newProgram(release, url)
				p.start(t)
				p.end(t, exitRefused, "Open WebUI "+release+" does not start: it "+why)
				if strings.Count(p.output.String(), "\n") != 1 {
					t.Errorf("It says more than a line:\n%s", p.output)
				}
			}
		})
	}
}

// TestBroken takes away under running programs what one of them needs.
func TestBroken(t *testing.T) {
	t.Parallel()
	url := postgres.Shared(t).NewDatabase(t)
	bring(t, url, 9, bundle.BirthPeewee)
	old := newProgram("0.1.125", url)
	old.start(t)
	old.wait(t)
	bring(t, url, 10, bundle.BirthPeewee)
	old.end(t, exitBroken, "BROKEN: Open WebUI 0.1.125 requires revision 8 (008): table modelfile is missing\n")

	bring(t, url, 22, bundle.BirthPeewee)
	older, newer := newProgram("0.3.6", url), newProgram("0.3.31", url)
	for _, p := range []*program{older, newer} {
		p.start(t)
		p.wait(t)
	}
	bring(t, url, 18, bundle.BirthPeewee)
	newer.end(t, exitBroken, "\nBROKEN: Open WebUI 0.3.31 requires revision 22 (6a39f3d8e55c): ")
	older.cancel()
	older.end(t, exitDone, "Ended")
}

func TestChats(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	url := server.NewDatabase(t)
	bring(t, url, 18, bundle.BirthPeewee)
	p := newProgram("0.3.6", url)
	p.start(t)
	address := p.wait(t)
	const insert = `INSERT INTO chat SELECT 'c' || n, 'nobody', 'A chat', '{}', NULL, false, 0, 0 FROM generate_series(1, 3) n`
	if _, err := postgres.Open(t, url).ExecContext(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	if got, want := get(t, "http://"+address+"/chats"), `200 {"chat":3,"user":0}`+"\n"; got != want {
		t.Errorf("/chats is %q, want %q", got, want)
	}

	// A server that is away proves nothing about the schema.
	server.Stop(t)
	if got, want := get(t, "http://"+address+"/chats"), "503 the database does not answer\n"; got != want {
		t.Errorf("/chats is %q, want %q", got, want)
	}
	p.awaitOutput(t, "The database does not answer: ")
	server.Restart(t)
	p.awaitOutput(t, "The database answers again")
	p.cancel()
	p.end(t, exitDone, "Ended")
}

func (p *program) awaitOutput(tb testing.TB, text string) {
	tb.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(time.Minute)
	for !strings.Contains(p.output.String(), text) {
		select {
		case <-again.C:
		case <-deadline:
			tb.Fatalf("It does not say %q:\n%s", text, p.output)
		}
	}
}

func TestWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	url := server.NewDatabase(t)
	bring(t, url, 18, bundle.BirthPeewee)
	server.Stop(t)

	impatient := newProgram("0.3.6", url)
	impatient.patience = 50 * time.Millisecond
	impatient.start(t)
	impatient.end(t, exitRefused, "does not start: the database does not answer: ")

	p := newProgram("0.3.6", url)
	p.start(t)
	p.awaitOutput(t, "The database does not answer, trying for 1m0s: ")
	server.Restart(t)
	p.wait(t)
	p.cancel()
	p.end(t, exitDone, "Ended")

	stopped := newProgram("0.3.6", strings.Replace(url, "/test_", "/absent_", 1))
	stopped.start(t)
	stopped.awaitOutput(t, "The database does not answer, trying for ")
	stopped.cancel()
	stopped.end(t, exitDone, "Ended")
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		release string
		env     map[string]string
		want    string
	}{
		"migrations by default": {"0.3.6", map[string]string{"ENABLE_DB_MIGRATIONS": ""}, "ENABLE_DB_MIGRATIONS is not false"},
		"migrations":            {"0.3.6", map[string]string{"ENABLE_DB_MIGRATIONS": "True"}, "ENABLE_DB_MIGRATIONS is not false"},
		"no database":           {"0.3.6", map[string]string{"DATABASE_URL": ""}, "DATABASE_URL: database URL: it has no scheme"},
		"no release":            {"", nil, "the release that it was built for"},
		"a release of tomorrow": {"9.0.0", nil, "9.0.0 is newer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(tt.release, "postgres://me:s3cret@127.0.0.1:1/webui")
			maps.Copy(p.env, tt.env)
			p.start(t)
			p.end(t, exitRefused, tt.want)
		})
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "webui.db")
	absent := newProgram("0.3.6", url)
	absent.patience = 0
	absent.start(t)
	absent.end(t, exitRefused, "the database does not answer")

	bring(t, url, 19, bundle.BirthPeewee)
	newer := newProgram("0.3.16", url)
	newer.start(t)
	newer.end(t, exitRefused, "requires revision 20 (ca81bd47c050): table config is missing")

	p := newProgram("0.3.6", url)
	p.start(t)
	address := p.wait(t)
	if got, want := get(t, "http://"+address+"/chats"), `200 {"chat":0,"user":0}`+"\n"; got != want {
		t.Errorf("/chats is %q, want %q", got, want)
	}
	bring(t, url, 9, bundle.BirthPeewee)
	p.end(t, exitBroken, "\nBROKEN: Open WebUI 0.3.6 requires revision 18 (018): ")
}
