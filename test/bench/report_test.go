package bench_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// TestMain prints the table of all that was compared. There are no tests, so
// without -bench there is nothing to print.
func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // the benchmarks say what fails
	code := m.Run()
	if err := printTable(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "printing the table:", err)
		code = 1
	}
	os.Exit(code)
}

// sample is a series of measurements of one thing, in one unit.
type sample []float64

// quantile returns the least value that a share of the sample does not exceed.
func (s sample) quantile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

// median is the mean of the middle two where the number is even.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// comparison is one row of the table: what was measured in turn with what.
type comparison struct {
	what         string
	ours, beside sample
	unit         string
}

func (c comparison) ratios() sample {
	ratios := make(sample, len(c.ours))
	for i := range ratios {
		ratios[i] = c.ours[i] / c.beside[i]
	}
	return ratios
}

var table struct {
	sync.Mutex
	comparisons []comparison
	notes       []string
}

// compare records a row of the table, and its ratio as a metric of the benchmark.
// The two samples belong together pair by pair; the ratio is the median of the
// ratios of the pairs.
func compare(b *testing.B, metric, what, unit string, ours, beside sample) {
	b.Helper()
	if len(ours) == 0 || len(ours) != len(beside) {
		b.Fatalf("%s: %d measurements beside %d", what, len(ours), len(beside))
	}
	c := comparison{what: what, ours: ours, beside: beside, unit: unit}
	b.ReportMetric(c.ratios().median(), metric+"-ratio")
	table.Lock()
	defer table.Unlock()
	table.comparisons = append(table.comparisons, c)
}

// note records what stands below the table.
func note(format string, args ...any) {
	table.Lock()
	defer table.Unlock()
	table.notes = append(table.notes, fmt.Sprintf(format, args...))
}

func printTable(out io.Writer) error {
	table.Lock()
	defer table.Unlock()
	if len(table.comparisons) == 0 {
		return nil
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, "\ncompared\tfirst\tsecond\tratio\tleast\tmost\tpairs")
	for _, c := range table.comparisons {
		ratios := c.ratios()
		fmt.Fprintf(&text, "%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%d\n", c.what, quantity(c.ours.median(), c.unit), quantity(c.beside.median(), c.unit),
			ratios.median(), slices.Min(ratios), slices.Max(ratios), len(ratios))
	}
	fmt.Fprintln(&text, "\n"+strings.Join(table.notes, "\n"))
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if _, err := text.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}

// quantity has three digits that count.
func quantity(value float64, unit string) string {
	digits := 0
	if value > 0 {
		digits = min(max(2-int(math.Floor(math.Log10(value))), 0), 3)
	}
	return fmt.Sprintf("%.*f %s", digits, value, unit)
}
