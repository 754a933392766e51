// Package progress tells a person or a log what a long command is doing.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// reminder is how often a step that takes long says that it goes on.
const reminder = 30 * time.Second

// Report writes one line per event. It is safe for concurrent use.
type Report struct {
	mu  sync.Mutex
	out io.Writer
}

// New returns a report that writes to out.
func New(out io.Writer) *Report { return &Report{out: out} }

// Say writes one line.
func (r *Report) Say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A report that cannot be written must not stop the work.
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

// Step is something that takes time.
type Step struct {
	report  *Report
	name    string
	started time.Time
	stop    chan struct{}
}

// Step begins a step. Nothing is written before it ends, unless it takes long.
func (r *Report) Step(name string) *Step {
	s := &Step{report: r, name: name, started: time.Now(), stop: make(chan struct{})}
	go s.remind()
	return s
}

func (s *Step) remind() {
	ticker := time.NewTicker(reminder)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.report.Say("%s … still at it after %s", s.name, time.Since(s.started).Round(time.Second))
		}
	}
}

// Done ends the step.
func (s *Step) Done() { s.end("") }

// Failed ends the step; the caller reports the error.
func (s *Step) Failed() { s.end(" FAILED after") }

func (s *Step) end(how string) {
	close(s.stop)
	s.report.Say("%-52s%s %6.1fs", s.name, how, time.Since(s.started).Seconds())
}
