// Standin stands in for Open WebUI in the demonstration and in the end-to-end
// tests. It is not Open WebUI and does nothing for anybody: it plays one
// release of it, as far as the database is concerned, so that images of many
// releases are small, start at once and need no registry.
//
// What it does:
//
//   - It refuses to start (exit status 1) unless ENABLE_DB_MIGRATIONS is false,
//     for a pod that would migrate its own database is what schemagate is there
//     to prevent.
//   - It looks up which revision its release requires, and refuses to start
//     (exit status 1) when the database in DATABASE_URL lacks a table or a
//     column of that revision, has a column of another kind, or insists on a
//     column that the release does not know. A database that does not answer is
//     asked again for 30 seconds first.
//   - It then serves on port 8080, or that of PORT: /health, and /chats with the
//     numbers of chats and users.
//   - It looks again every second. When the database has become one that the
//     release cannot use, it writes a line that begins with "BROKEN:" and ends
//     with exit status 2: somebody has migrated under a running pod.
//
// What it cannot see is a revision that moves rows and leaves tables and
// columns alone, or that only other releases write wrong.
//
// The release is set when it is built; hack/standin builds the images:
//
//	go build -ldflags "-X main.release=0.6.6" ./test/standin
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/migrations"
)

// release is the release of Open WebUI to play.
var release string

// The exit statuses.
const (
	exitDone    = 0
	exitRefused = 1
	exitBroken  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal is not waited for.
	context.AfterFunc(ctx, stop)
	s := standin{
		release:      release,
		getenv:       os.Getenv,
		address:      ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		patience:     30 * time.Second,
		interval:     time.Second,
		checkTimeout: 10 * time.Second,
		log:          os.Stderr,
	}
	os.Exit(s.run(ctx))
}

// standin is the program with everything that tests have otherwise.
type standin struct {
	release string
	getenv  func(string) string
	// address is where to serve.
	address string
	// patience is for how long a database may not answer at the start.
	patience time.Duration
	// interval is the time from one look at the database to the next.
	interval time.Duration
	// checkTimeout bounds one look.
	checkTimeout time.Duration
	log          io.Writer
	// serving, if not nil, is told the address once it is served.
	serving func(net.Addr)
}

// say writes one line for people.
func (s *standin) say(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	// There is nobody to tell if this fails.
	_, _ = fmt.Fprintln(s.log, line)
}

// errBroken says that the database became unusable under the running program.
var errBroken = errors.New("the database has become unusable")

// run returns the exit status. It ends with 0 when ctx does.
func (s *standin) run(ctx context.Context) int {
	err := s.start(ctx)
	switch {
	case errors.Is(err, errBroken):
		return exitBroken // it has been told already, at once
	case err == nil, ctx.Err() != nil:
		s.say("Ended")
		return exitDone
	}
	s.say("The stand-in for Open WebUI %s does not start: %v", s.release, err)
	return exitRefused
}

func (s *standin) start(ctx context.Context) (err error) {
	if value := s.getenv("ENABLE_DB_MIGRATIONS"); !strings.EqualFold(value, "false") {
		return errors.New("ENABLE_DB_MIGRATIONS is not false: it would migrate the database itself")
	}
	database, err := dburl.Parse(s.getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err) // quotes nothing of it
	}
	needs, err := newRequirement(migrations.OpenWebUI(), database.Engine, s.release)
	if err != nil {
		return err
	}
	db, err := open(database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	checker := &checker{needs: needs, db: db, timeout: s.checkTimeout}
	if err := s.admit(ctx, checker); err != nil {
		return err
	}
	return s.work(ctx, checker)
}

// admit returns nil when the database is one that the release can use.
func (s *standin) admit(ctx context.Context, c *checker) error {
	deadline := time.Now().Add(s.patience)
	again := time.NewTicker(s.interval)
	defer again.Stop()
	for told := false; ; told = true {
		problem, err := c.check(ctx)
		switch {
		case err == nil && problem != "":
			return errors.New("it " + problem)
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the database does not answer: %w", err)
		case !told:
			s.say("The database does not answer, trying for %s: %v", s.patience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// work serves and watches until ctx ends or one of the two fails.
func (s *standin) work(ctx context.Context, c *checker) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- serve(ctx, listener, s.release, c.db)
	}()
	s.say("The stand-in for Open WebUI %s has all that it requires, revision %s, and serves on %s",
		s.release, c.needs.revisionName(), listener.Addr())
	if s.serving != nil {
		s.serving(listener.Addr())
	}
	err = s.watch(ctx, c)
	cancel()
	return errors.Join(err, <-served)
}

// watch returns errBroken when the database is no longer one that the release
// can use, and nil when ctx ends. A database that does not answer proves
// nothing.
func (s *standin) watch(ctx context.Context, c *checker) error {
	again := time.NewTicker(s.interval)
	defer again.Stop()
	answers := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
		problem, err := c.check(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && problem != "":
			s.say("BROKEN: Open WebUI %s %s", s.release, problem)
			return errBroken
		case err != nil && answers:
			s.say("The database does not answer: %v", err)
		case err == nil && !answers:
			s.say("The database answers again")
		}
		answers = err == nil
	}
}
