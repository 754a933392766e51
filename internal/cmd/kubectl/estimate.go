package kubectl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
)

// bytesPerSecond is how fast the slowest revisions, 49 and 68, get through the table
// chat as PostgreSQL keeps it: docs/performance.md, on two shared cores.
const bytesPerSecond = 11_000_000

// estimate is how long a way up may take, by the tables that its revisions read or
// write whole, each of them as slowly as the slowest. All else about revisions takes
// no time that depends on the data.
type estimate struct {
	// Bytes of those tables, each as often as a revision reads it.
	Bytes int64 `json:"bytes"`
	// Seconds at bytesPerSecond.
	Seconds int64 `json:"seconds"`
	// Revisions are those that read a table that is known to be large.
	Revisions []int `json:"revisions"`
}

// measure says what is known of the tables of a plan.
func (r *planReport) measure(known []v1alpha1.TableStatus, pending []bundle.Revision) {
	bytes := map[string]int64{}
	for _, table := range known {
		if slices.Contains(r.Tables, table.Name) {
			r.Sizes = append(r.Sizes, table)
		}
		bytes[table.Name] = *table.Bytes
	}
	if r.Direction != v1alpha1.DirectionUp || len(known) == 0 {
		return
	}
	e := &estimate{Revisions: []int{}}
	for i := range pending {
		read := int64(0)
		for _, table := range pending[i].Scans {
			read += bytes[table]
		}
		if read > 0 {
			e.Bytes += read
			e.Revisions = append(e.Revisions, pending[i].Version)
		}
	}
	e.Seconds = (e.Bytes + bytesPerSecond - 1) / bytesPerSecond
	r.Estimate = e
}

// duration says how long the plan may take.
func (r *planReport) duration(add func(texts ...string) *node) {
	switch e := r.Estimate; {
	case e == nil && r.Direction == v1alpha1.DirectionUp:
		add("duration", "follows from the size of the tables, which no Job has seen yet; ask the database:").children = []node{line(r.SizesQuery)}
		return
	case e == nil:
		add("duration", "of a way down is not estimated; how large the tables are says").children = []node{line(r.SizesQuery)}
		return
	case e.Bytes == 0:
		add("duration", "does not depend on the data: no revision reads a table whole that is known to be large")
		return
	default:
		duration := add("duration", fmt.Sprintf("about %s or less where %s are read at %s a second; machines differ",
			time.Duration(e.Seconds)*time.Second, size(e.Bytes), size(bytesPerSecond)))
		duration.children = append(duration.children, line("read whole by", numbers(e.Revisions)))
		for _, table := range r.Sizes {
			duration.children = append(duration.children, line(table.Name, fmt.Sprintf("about %d rows, %s", *table.Rows, size(*table.Bytes))))
		}
	}
}

// numbers names revisions.
func numbers(revisions []int) string {
	var names []string
	for _, version := range revisions {
		names = append(names, fmt.Sprint(version))
	}
	last := len(names) - 1
	if last == 0 {
		return "revision " + names[0]
	}
	return "revisions " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// size is a number of bytes for people.
func size(bytes int64) string {
	units := []string{"kB", "MB", "GB", "TB"}
	value, unit := float64(bytes)/1000, 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	if value >= 10 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
