package kubectl

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
)

type planCmd struct {
	*session
	format format
	to     string
}

func newPlanCmd(s *session) *cobra.Command {
	c := &planCmd{session: s}
	cmd := &cobra.Command{
		Use:   "plan NAME",
		Short: "Say what a migration would do, and to which pods",
		Long: `Plan says which revisions the operator would apply or revert, what each does to pods
and to data, whether pods keep running meanwhile, and which would be drained. With
--to it answers for a release that is not rolled out yet. It decides by the rules of
the operator, from what the cluster knows, and estimates the duration from the sizes
of tables that the last Job has seen; it does not look into the database itself, and
changes nothing.`,
		Example: `  kubectl schemagate plan open-webui
  kubectl schemagate plan open-webui --to 0.11.1`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	c.format.add(cmd, formatWide, formatJSON, formatYAML)
	cmd.Flags().StringVar(&c.to, "to", "", "release, order number or id of a revision to plan for, instead of the target")
	return cmd
}

func (c *planCmd) do(cmd *cobra.Command, args []string) error {
	schema, err := c.getSchema(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	v, err := c.view(cmd.Context(), schema)
	if err != nil {
		return err
	}
	to := ""
	if c.to != "" {
		revision, err := v.bundle.Resolve(c.to, plan.Overlay(schema.Spec)...)
		if unresolved, ok := errors.AsType[*bundle.UnresolvedError](err); ok {
			return exit.Usage(fmt.Errorf("--to names no revision: want a release of three numbers, an order number from 1 to %d, an id or %s", unresolved.Last, bundle.Latest))
		}
		if err != nil {
			return exit.Usage(fmt.Errorf("--to: %w", err))
		}
		to = strconv.Itoa(revision.Version)
	}
	if !observed(schema) {
		return transient(errNotObserved)
	}
	r := v.plan(to)
	if c.format.machine() {
		return c.format.encode(cmd.OutOrStdout(), r)
	}
	r.text(cmd.OutOrStdout(), c.newPainter(cmd.OutOrStdout()), c.format.value == formatWide)
	return nil
}

// errNotObserved is a schema about which nothing can be said yet.
var errNotObserved = errors.New("the operator has not seen the DatabaseSchema as it is: wait a moment, or see kubectl schemagate doctor")

// planReport is what plan says.
type planReport struct {
	Namespace string                  `json:"namespace"`
	Name      string                  `json:"name"`
	Verdict   plan.Verdict            `json:"verdict"`
	Reason    string                  `json:"reason"`
	Message   string                  `json:"message"`
	From      v1alpha1.RevisionStatus `json:"from,omitzero"`
	To        v1alpha1.RevisionStatus `json:"to,omitzero"`
	Direction v1alpha1.Direction      `json:"direction"`

	// Strategy is what the spec says, Chosen what follows: Rolling or Drain.
	Strategy v1alpha1.RolloutStrategy `json:"strategy"`
	Chosen   v1alpha1.RolloutStrategy `json:"chosen,omitempty"`

	Revisions []revisionReport `json:"revisions"`
	Loss      []string         `json:"loss"`
	Drained   []podReport      `json:"drained"`

	// Approval says that a person has to approve, Digest what, and Asked that the
	// operator waits for just that.
	Approval bool   `json:"approvalRequired"`
	Asked    bool   `json:"approvalAwaited"`
	Digest   string `json:"digest,omitempty"`

	// Tables are those that the revisions touch, Sizes what is known of the large
	// ones among them since a Job looked last. SizesQuery asks PostgreSQL.
	Tables     []string               `json:"tables"`
	Sizes      []v1alpha1.TableStatus `json:"sizes"`
	SizesQuery string                 `json:"sizesQuery,omitempty"`

	// Estimate is how long the way up may take; absent where nothing is known of
	// the tables that it reads.
	Estimate *estimate `json:"estimate,omitempty"`

	// Serves is what the database serves afterwards.
	Serves v1alpha1.Serves `json:"serves,omitzero"`
}

func (v *view) plan(to string) planReport {
	d := v.decide(to)
	r := planReport{
		Namespace: v.schema.Namespace, Name: v.schema.Name, Verdict: d.Verdict, Reason: d.Reason, Message: d.Message,
		From: v.schema.Status.AppliedRevision, To: d.Status.TargetRevision, Direction: v1alpha1.DirectionNone,
		Strategy: v.schema.Spec.Rollout.Strategy, Revisions: []revisionReport{}, Loss: []string{}, Drained: []podReport{}, Tables: []string{}, Sizes: []v1alpha1.TableStatus{},
	}
	w := d.Work
	if w == nil {
		return r
	}
	r.Digest, r.Loss, r.Approval = w.Digest, append(r.Loss, w.Loss...), d.Action == plan.RequireApproval
	r.Asked = w.Digest == askedDigest(v.schema)
	r.Chosen = v1alpha1.StrategyRolling
	if w.Fence {
		r.Chosen = v1alpha1.StrategyDrain
	}
	for _, revision := range w.Pending {
		r.Revisions = append(r.Revisions, reportRevision(revision))
		r.Tables = append(r.Tables, revision.Touches...)
	}
	slices.Sort(r.Tables)
	r.Tables = slices.Compact(r.Tables)
	switch {
	case w.Downgrade:
		r.Direction = v1alpha1.DirectionDown
	case len(w.Pending) > 0 || w.Inspects():
		r.Direction = v1alpha1.DirectionUp
	}
	if len(r.Revisions) > 0 {
		r.SizesQuery = v.sizesQuery(r.Tables)
		r.measure(v.schema.Status.Tables, w.Pending)
		v.planPods(&r, w)
	}
	return r
}

func (v *view) planPods(r *planReport, w *plan.Work) {
	_, running := v.gated()
	for i := range running {
		if w.Fence {
			r.Drained = append(r.Drained, v.reportPod(&running[i]))
		}
	}
	after := v.bundle.Interval(w.To, birth(v.schema), plan.Overlay(v.schema.Spec)...)
	if after.From > 0 {
		r.Serves = plan.ServesOf(after)
	}
}

// sizesQuery asks PostgreSQL how large tables are; empty for SQLite.
func (v *view) sizesQuery(tables []string) string {
	if v.schema.Spec.Database.SQLite.ClaimName != "" {
		return ""
	}
	var quoted []string
	for _, table := range tables {
		quoted = append(quoted, "'"+strings.ReplaceAll(table, "'", "''")+"'")
	}
	return "SELECT relname, n_live_tup, pg_size_pretty(pg_total_relation_size(relid)) FROM pg_stat_user_tables WHERE relname IN (" +
		strings.Join(quoted, ", ") + ") ORDER BY pg_total_relation_size(relid) DESC"
}

func (r planReport) text(w io.Writer, p painter, wide bool) {
	switch {
	case r.Verdict == plan.Stalled && len(r.Revisions) == 0:
		printf(w, "Stalled, %s: %s\n", r.Reason, r.Message)
		return
	case r.Direction == v1alpha1.DirectionNone:
		printf(w, "Nothing to migrate: %s\n", r.Message)
		return
	}
	way := "up"
	if r.Direction == v1alpha1.DirectionDown {
		way = "down"
	}
	from := "revision " + revisionText(r.From)
	if r.From.Version == 0 {
		from = "wherever the database is"
	}
	printf(w, "%s/%s: from %s %s to %s\n", r.Namespace, r.Name, from, way, revisionText(r.To))
	if len(r.Revisions) == 0 {
		printf(w, "\nA Job looks at the database first, and goes on by itself if nothing on the way can break pods or lose data.\n"+
			"What is pending is known after that.\n")
		return
	}
	printf(w, "\n")
	var rows []node
	for _, revision := range r.Revisions {
		rows = append(rows, revision.row(r.Direction, wide))
	}
	head := []string{"REVISION", "ID", "RELEASE", "LABEL", "DATA", "NAME"}
	if wide {
		head = append(head[:len(head)-1], "TABLES", "NAME", "WHY")
	}
	p.table(w, head, rows)
	printf(w, "\n")
	r.consequences(w, p)
}

func (r revisionReport) row(direction v1alpha1.Direction, wide bool) node {
	data, s := "kept", plain
	if direction == v1alpha1.DirectionDown && r.LossyDown != "" || direction != v1alpha1.DirectionDown && r.Destructive {
		data, s = "lost", red
	}
	label := green
	if r.Label.Fencing() {
		label = red
	}
	n := node{cells: []cell{{fmt.Sprint(r.Version), plain}, {r.ID, plain}, {r.App, plain}, {string(r.Label), label}, {data, s}}}
	name := cell{text: strings.ReplaceAll(r.Name, "_", " ")}
	if wide {
		n.cells = append(n.cells, cell{text: orDash(strings.Join(r.Tables, ","))}, name, cell{text: r.Why})
		return n
	}
	n.cells = append(n.cells, name)
	return n
}

func (r planReport) consequences(w io.Writer, p painter) {
	n := node{cells: []cell{{"Consequences", bold}}}
	add := func(texts ...string) *node {
		n.children = append(n.children, line(texts...))
		return &n.children[len(n.children)-1]
	}
	chosen := string(r.Strategy)
	if string(r.Chosen) != chosen {
		chosen += ", which means " + string(r.Chosen)
	}
	add("strategy", chosen)
	switch {
	case r.Chosen == v1alpha1.StrategyRolling:
		add("pods", "keep running")
	case len(r.Drained) == 0:
		add("pods", "none runs that would have to end; new ones wait meanwhile")
	default:
		pods := add("pods", counted(len(r.Drained), "pod")+" would be drained; those that come in their place wait")
		for _, pod := range r.Drained {
			pods.children = append(pods.children, line(pod.Name, "needs "+orDash(pod.Needs), orDash(pod.Image)))
		}
	}
	if len(r.Loss) > 0 {
		loss := add("data", "lost in "+counted(len(r.Loss), "revision"))
		for _, text := range r.Loss {
			loss.children = append(loss.children, line(text))
		}
	}
	if r.Serves.From > 0 && r.Serves.AppFrom != "" {
		add("afterwards", fmt.Sprintf("releases from %s on, before %s, can run", r.Serves.AppFrom, r.Serves.AppBefore))
	}
	switch {
	case r.Approval && !r.Asked:
		add("approval", "will be needed, of the plan "+r.Digest)
	case r.Approval:
		add("approval", "needed: kubectl schemagate approve "+r.Name+" -n "+r.Namespace+" --digest "+r.Digest)
	case r.Verdict == plan.Stalled:
		add("stalled", r.Reason+": "+r.Message)
	}
	if r.SizesQuery != "" {
		r.duration(add)
	}
	p.tree(w, n)
}

// observeImage is the image of the application's container; empty if that cannot
// be told.
func (v *view) observeImage(pod *corev1.Pod) string {
	container, err := requirement.Container(pod)
	if err != nil {
		return ""
	}
	return container.Image
}
