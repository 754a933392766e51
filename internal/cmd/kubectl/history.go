package kubectl

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
)

type historyCmd struct {
	*session
	format format
	all    bool
}

func newHistoryCmd(s *session) *cobra.Command {
	c := &historyCmd{session: s}
	cmd := &cobra.Command{
		Use:   "history [NAME]",
		Short: "List the last migrations, newest first",
		Long: `History lists the migrations that the status remembers: the last ten of each schema,
newest first, failed ones included. The table schemagate_history in the database has
all that were applied.`,
		Args:              upTo(1),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	c.format.add(cmd, formatWide, formatJSON, formatYAML)
	cmd.Flags().BoolVarP(&c.all, "all-namespaces", "A", false, "list those of all namespaces")
	return cmd
}

// historyReport is what history says about one schema.
type historyReport struct {
	Namespace string                  `json:"namespace"`
	Name      string                  `json:"name"`
	History   []v1alpha1.HistoryEntry `json:"history"`
}

func (c *historyCmd) do(cmd *cobra.Command, args []string) error {
	schemas, err := c.schemas(cmd.Context(), args, c.all)
	if err != nil {
		return err
	}
	var reports []historyReport
	for i := range schemas {
		reports = append(reports, historyReport{
			Namespace: schemas[i].Namespace, Name: schemas[i].Name, History: append([]v1alpha1.HistoryEntry{}, schemas[i].Status.History...),
		})
	}
	if c.format.machine() {
		return encodeAll(&c.format, cmd.OutOrStdout(), reports, len(args) > 0)
	}
	b, err := openWebUI()
	if err != nil {
		return err
	}
	return c.text(cmd.OutOrStdout(), cmd.ErrOrStderr(), b, reports)
}

func (c *historyCmd) text(out, errOut io.Writer, b *bundle.Bundle, reports []historyReport) error {
	wide := c.format.value == formatWide
	var rows []node
	for _, r := range reports {
		for _, entry := range r.History {
			row := line(r.Name, c.ago(entry.StartTime), way(b, entry), took(entry), entry.Result).styled(4, resultStyle(entry))
			if wide {
				row.cells = append(row.cells, cell{text: entry.Job})
			}
			if c.all {
				row.cells = append([]cell{{text: r.Namespace}}, row.cells...)
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		printf(errOut, "No migrations are recorded in %s.\n", place(c.scope(c.all)))
		return nil
	}
	head := []string{"SCHEMA", "STARTED", "REVISIONS", "TOOK", "RESULT"}
	if wide {
		head = append(head, "JOB")
	}
	if c.all {
		head = append([]string{"NAMESPACE"}, head...)
	}
	c.newPainter(out).table(out, head, rows)
	return nil
}

func (c *historyCmd) ago(t *metav1.Time) string {
	if t == nil {
		return "-"
	}
	return span(c.now().Sub(t.Time)) + " ago"
}

func took(entry v1alpha1.HistoryEntry) string {
	if entry.DurationSeconds == nil {
		return "-"
	}
	return (time.Duration(*entry.DurationSeconds) * time.Second).String()
}

// way says from where to where a migration went, with the releases.
func way(b *bundle.Bundle, entry v1alpha1.HistoryEntry) string {
	name := func(version *int32) string {
		if revision, ok := b.Revision(int(ptr.Deref(version, 0))); ok {
			return fmt.Sprintf("%d (%s)", revision.Version, revision.App)
		}
		return "0"
	}
	if entry.Direction == v1alpha1.DirectionNone {
		return name(entry.To) + ", looked at"
	}
	return name(entry.From) + " -> " + name(entry.To)
}

func resultStyle(entry v1alpha1.HistoryEntry) style {
	if entry.Result == v1alpha1.ReasonSucceeded {
		return green
	}
	return red
}

// birth is that of the database as the bundle has it.
func birth(schema *v1alpha1.DatabaseSchema) bundle.Birth { return bundle.Birth(schema.Status.Birth) }
