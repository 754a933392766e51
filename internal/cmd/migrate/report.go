package migrate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// reporter shows what happens while it happens. Progress that cannot be
// written is lost; only a result that cannot be written is an error.
type reporter interface {
	begin(runner *migrate.Runner)
	event(e migrate.Event)
	end(res result.Result) error
}

func newReporter(w io.Writer, format output.Format) reporter {
	if format == output.JSON {
		return &jsonReporter{w: w}
	}
	return &textReporter{w: w, terminal: output.IsTerminal(w)}
}

// jsonReporter writes one object per line; the last one is the result.
type jsonReporter struct{ w io.Writer }

// line is an event as JSON. Its kind is that of the event.
type line struct {
	Kind            migrate.EventKind `json:"kind"`
	Revision        int               `json:"revision,omitempty"`
	Direction       migrate.Direction `json:"direction,omitempty"`
	ID              string            `json:"id,omitempty"`
	Step            string            `json:"step,omitempty"`
	Done            int64             `json:"done,omitempty"`
	Total           int64             `json:"total,omitempty"`
	DurationSeconds float64           `json:"durationSeconds,omitempty"`
	Outcome         result.Outcome    `json:"outcome,omitempty"`
	Reason          result.Reason     `json:"reason,omitempty"`
	Failure         *result.Failure   `json:"failure,omitempty"`
}

func (r *jsonReporter) begin(*migrate.Runner) {}

func (r *jsonReporter) event(e migrate.Event) {
	l := line{
		Kind: e.Kind, Revision: e.Revision, Direction: e.Direction, ID: e.ID, Step: e.Step,
		Done: e.Done, Total: e.Total, DurationSeconds: e.Duration.Seconds(),
	}
	if e.Err != nil {
		failure := e.Err.Failure
		l.Outcome, l.Reason, l.Failure = e.Err.Outcome, e.Err.Reason, &failure
	}
	text, err := json.Marshal(l)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(r.w, "%s\n", text)
}

func (r *jsonReporter) end(res result.Result) error {
	text, err := res.Encode()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.w, "%s\n", text)
	return err
}

// textReporter writes for people: a line per revision, and on a terminal a bar
// below them that is redrawn in place.
type textReporter struct {
	w        io.Writer
	terminal bool

	done, total int
	bar         bool // the cursor stands behind a bar
	drawn       time.Time
}

func (r *textReporter) begin(runner *migrate.Runner) { r.line("Migrating %s", runner) }

func (r *textReporter) event(e migrate.Event) {
	switch e.Kind {
	case migrate.EventPlanned:
		r.total = int(e.Total)
	case migrate.EventAdopted:
		r.line("Adopted the database at revision %d (%s)", e.Revision, e.ID)
	case migrate.EventStarted:
		r.draw(fmt.Sprintf("%03d %s", e.Revision, e.ID), false)
	case migrate.EventProgress:
		r.draw(fmt.Sprintf("%03d %s: %s %s", e.Revision, e.ID, e.Step, rows(e.Done, e.Total)), true)
	case migrate.EventApplied:
		r.done++
		r.line("%03d %s %s in %s", e.Revision, e.ID, verb(e.Direction), e.Duration.Round(time.Millisecond))
	case migrate.EventWaiting:
		r.line("Waiting: %v", e.Err)
	}
}

func (r *textReporter) end(res result.Result) error {
	r.clear()
	if res.Outcome != result.Done {
		return nil // the error says the rest
	}
	if res.Drift != nil {
		r.line("Drift: the database differs from what the revision leaves in %d places; see schemagate verify", res.Drift.Count)
	}
	if res.Applied == 0 && res.AdoptedAt == 0 {
		_, err := fmt.Fprintf(r.w, "Nothing to do: the database is at %s\n", at(res))
		return err
	}
	_, err := fmt.Fprintf(r.w, "Done: the database is at %s, %d revisions in %.1fs\n", at(res), res.Applied, res.DurationSeconds)
	return err
}

func at(res result.Result) string {
	if res.To == 0 {
		return "no revision: it is empty"
	}
	return fmt.Sprintf("revision %d (%s, application %s)", res.To, res.ID, res.AppVersion)
}

func verb(d migrate.Direction) string {
	if d == migrate.Down {
		return "reverted"
	}
	return "applied"
}

func rows(done, total int64) string {
	if total == 0 {
		return fmt.Sprintf("%d rows", done)
	}
	return fmt.Sprintf("%d of %d rows", done, total)
}

// line writes a line above the bar.
func (r *textReporter) line(format string, args ...any) {
	r.clear()
	_, _ = fmt.Fprintf(r.w, format+"\n", args...)
}

// clear removes the bar.
func (r *textReporter) clear() {
	if r.bar {
		_, _ = fmt.Fprint(r.w, "\r\x1b[K")
		r.bar = false
	}
}

const (
	barWidth  = 24
	barPeriod = 100 * time.Millisecond
)

// draw redraws the bar; steps report more often than anyone can look.
func (r *textReporter) draw(text string, often bool) {
	if !r.terminal || r.total == 0 || often && time.Since(r.drawn) < barPeriod {
		return
	}
	r.drawn = time.Now()
	full := barWidth * r.done / r.total
	_, _ = fmt.Fprintf(r.w, "\r\x1b[K[%s%s] %d/%d %s",
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), r.done, r.total, text)
	r.bar = true
}
