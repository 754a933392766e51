package migrate

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/golang-migrate/migrate/v4/source"
)

// planSource is golang-migrate's view of a bundle: the revisions that exist for
// one engine and birth, in order, with the files of the plan.
type planSource struct {
	revisions []int // ascending
	up, down  map[int]string
	gate      *sourceGate
	// read opens a body; tests replace it to fail.
	read func(body string) io.Reader
}

var _ source.Driver = (*planSource)(nil)

func (s *planSource) Open(string) (source.Driver, error) { return nil, errNoOpen }
func (s *planSource) Close() error                       { return nil }

// First implements source.Driver.
func (s *planSource) First() (uint, error) { return s.at(0) }

// Prev implements source.Driver.
func (s *planSource) Prev(version uint) (uint, error) { return s.at(s.index(version) - 1) }

// Next implements source.Driver.
func (s *planSource) Next(version uint) (uint, error) { return s.at(s.index(version) + 1) }

func (s *planSource) index(version uint) int {
	for i, r := range s.revisions {
		if uint(r) == version {
			return i
		}
	}
	return -2 // neither its predecessor nor its successor exists
}

func (s *planSource) at(i int) (uint, error) {
	if i < 0 || i >= len(s.revisions) {
		return 0, os.ErrNotExist
	}
	return uint(s.revisions[i]), nil
}

// ReadUp implements source.Driver.
func (s *planSource) ReadUp(version uint) (io.ReadCloser, string, error) {
	return s.body(s.up, version)
}

// ReadDown implements source.Driver.
func (s *planSource) ReadDown(version uint) (io.ReadCloser, string, error) {
	return s.body(s.down, version)
}

func (s *planSource) body(files map[int]string, version uint) (io.ReadCloser, string, error) {
	body, ok := files[int(version)]
	if !ok {
		// golang-migrate asks for both files of a revision to learn whether it
		// exists. One that is in the bundle but not on the way is empty: it
		// will not be run.
		if s.index(version) < 0 {
			return nil, "", os.ErrNotExist
		}
		body = ""
	}
	read := s.read
	if read == nil {
		read = func(body string) io.Reader { return strings.NewReader(body) }
	}
	return &gatedBody{gate: s.gate, revision: int(version), reader: read(body)}, "", nil
}

// sourceGate holds back the bodies of revisions until their turn. golang-migrate
// starts a goroutine for every body ahead of time, and each would wait for ever
// on a pipe that nobody reads once an earlier revision has failed. Behind the
// gate they end with the context of the attempt instead.
type sourceGate struct {
	ctx context.Context // golang-migrate's readers have no context

	mu    sync.Mutex
	turns map[int]chan struct{}
}

func newSourceGate(ctx context.Context) *sourceGate {
	return &sourceGate{ctx: ctx, turns: map[int]chan struct{}{}}
}

func (g *sourceGate) turn(revision int) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.turns[revision] == nil {
		g.turns[revision] = make(chan struct{})
	}
	return g.turns[revision]
}

// open lets the body of a revision pass. It is called once for each.
func (g *sourceGate) open(revision int) { close(g.turn(revision)) }

type gatedBody struct {
	gate     *sourceGate
	revision int
	reader   io.Reader
}

func (b *gatedBody) Read(p []byte) (int, error) {
	select {
	case <-b.gate.turn(b.revision):
		return b.reader.Read(p)
	case <-b.gate.ctx.Done():
		return 0, b.gate.ctx.Err()
	}
}

func (b *gatedBody) Close() error { return nil }
