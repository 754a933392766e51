package kubectl

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// What the lines of a migration's log are about, as "schemagate migrate --output
// json" writes them.
const (
	kindPlanned  = "planned"
	kindAdopted  = "adopted"
	kindStarted  = "started"
	kindProgress = "progress"
	kindApplied  = "applied"
	kindWaiting  = "waiting"
)

// logLine is one line of a migration's log.
type logLine struct {
	Kind            string  `json:"kind"`
	Revision        int     `json:"revision"`
	Direction       string  `json:"direction"`
	ID              string  `json:"id"`
	Step            string  `json:"step"`
	Done            int64   `json:"done"`
	Total           int64   `json:"total"`
	DurationSeconds float64 `json:"durationSeconds"`
	Reason          string  `json:"reason"`
}

// progress is how far a migration is, by its log. The zero progress knows nothing.
type progress struct {
	// total revisions are to be done; 0 while the log does not tell. done of them
	// are committed.
	total, done int

	// current is at work; 0 for none. step and rows are those of a heavy one.
	current          logLine
	rowsDone, rowsOf int64
	step             string

	// tenth is the last tenth of the rows that was told of.
	tenth int64
}

// read takes up a line, and returns what is worth a line of its own; empty where
// nothing is.
func (p *progress) read(text string) string {
	var l logLine
	if json.Unmarshal([]byte(text), &l) != nil {
		return "" // not one of ours
	}
	switch l.Kind {
	case kindPlanned:
		*p = progress{total: int(l.Total)}
		return fmt.Sprintf("planned %s", counted(p.total, "revision"))
	case kindAdopted:
		return fmt.Sprintf("adopted the database at revision %d (%s)", l.Revision, l.ID)
	case kindStarted:
		p.current, p.step, p.rowsDone, p.rowsOf, p.tenth = l, "", 0, 0, 0
		return ""
	case kindProgress:
		return p.rows(l)
	case kindApplied:
		p.done++
		p.current, p.step = logLine{}, ""
		verb := "applied"
		if l.Direction == "down" {
			verb = "reverted"
		}
		took := time.Duration(l.DurationSeconds * float64(time.Second)).Round(time.Millisecond)
		return fmt.Sprintf("%s revision %d (%s) in %s%s", verb, l.Revision, l.ID, took, p.of())
	case kindWaiting:
		return "waits and tries again: " + l.Reason
	}
	return ""
}

// rows takes up the progress of a heavy step, and tells of every tenth.
func (p *progress) rows(l logLine) string {
	p.step, p.rowsDone, p.rowsOf = l.Step, l.Done, l.Total
	if l.Total <= 0 {
		return ""
	}
	tenth := 10 * l.Done / l.Total
	if tenth <= p.tenth {
		return ""
	}
	p.tenth = tenth
	return fmt.Sprintf("revision %d (%s), %s: %s", l.Revision, l.ID, l.Step, p.rowText())
}

func (p *progress) rowText() string {
	if p.rowsOf <= 0 {
		return fmt.Sprintf("%d rows", p.rowsDone)
	}
	return fmt.Sprintf("%d of %d rows", p.rowsDone, p.rowsOf)
}

func (p *progress) of() string {
	if p.total == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of %d", p.done, p.total)
}

// barWidth is that of the bar in characters.
const barWidth = 24

// bar draws how far the migration is. A heavy step moves it within its revision.
func (p *progress) bar() string {
	if p.total == 0 {
		return ""
	}
	share := float64(p.done)
	if p.rowsOf > 0 && p.step != "" {
		share += min(1, float64(p.rowsDone)/float64(p.rowsOf))
	}
	full := min(barWidth, int(barWidth*share/float64(p.total)))
	text := fmt.Sprintf("[%s%s] %d/%d", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), p.done, p.total)
	if p.current.Revision > 0 {
		text += fmt.Sprintf(" revision %d (%s)", p.current.Revision, p.current.ID)
	}
	if p.step != "" {
		text += " " + p.step + ": " + p.rowText()
	}
	return text
}
