package kubectl

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
)

type statusCmd struct {
	*session
	format format
	all    bool
}

func newStatusCmd(s *session) *cobra.Command {
	c := &statusCmd{session: s}
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show a schema with its migration, its pods and its conditions",
		Long: `Status shows a DatabaseSchema as a tree: where the database is and what it serves,
which revisions are pending, the migration Job, the pods that wait and those that run,
and the conditions. Without a name it shows all of the namespace.`,
		Args:              upTo(1),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	c.format.add(cmd, formatWide, formatName, formatJSON, formatYAML)
	cmd.Flags().BoolVarP(&c.all, "all-namespaces", "A", false, "show the schemas of all namespaces")
	return cmd
}

func (c *statusCmd) do(cmd *cobra.Command, args []string) error {
	schemas, err := c.schemas(cmd.Context(), args, c.all)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if c.format.value == formatName {
		for i := range schemas {
			printf(out, "databaseschema.%s/%s\n", v1alpha1.GroupName, schemas[i].Name)
		}
		return nil
	}
	if len(schemas) == 0 && !c.format.machine() {
		printf(cmd.ErrOrStderr(), "No DatabaseSchema found in %s.\n", place(c.scope(c.all)))
		return nil
	}
	var reports []statusReport
	for i := range schemas {
		v, err := c.view(cmd.Context(), &schemas[i])
		if err != nil {
			return err
		}
		reports = append(reports, v.status())
	}
	if c.format.machine() {
		return encodeAll(&c.format, out, reports, len(args) > 0)
	}
	p := c.newPainter(out)
	for i, r := range reports {
		if i > 0 {
			printf(out, "\n")
		}
		r.text(out, p, c.format.value == formatWide)
	}
	return nil
}

// place names where was looked.
func place(namespace string) string {
	if namespace == "" {
		return "any namespace"
	}
	return "namespace " + namespace
}

// statusReport is what status says about one schema.
type statusReport struct {
	Namespace string                  `json:"namespace"`
	Name      string                  `json:"name"`
	Ready     metav1.ConditionStatus  `json:"ready"`
	Reason    string                  `json:"reason,omitempty"`
	Message   string                  `json:"message,omitempty"`
	Current   bool                    `json:"current"` // the status belongs to the spec as it is
	Applied   v1alpha1.RevisionStatus `json:"applied,omitzero"`
	Target    v1alpha1.RevisionStatus `json:"target,omitzero"`
	Birth     v1alpha1.Birth          `json:"birth,omitempty"`
	Verified  *metav1.Time            `json:"verifiedTime,omitempty"`
	Serves    v1alpha1.Serves         `json:"serves,omitzero"`
	Gate      v1alpha1.GateStatus     `json:"gate,omitzero"`
	GateMode  v1alpha1.GateMode       `json:"gateMode,omitempty"`
	Suspended bool                    `json:"suspended"`
	Pending   []revisionReport        `json:"pending"`
	Drain     string                  `json:"drain,omitempty"`
	Job       *jobReport              `json:"job,omitempty"`
	Before    []jobReport             `json:"before,omitempty"`
	Waiting   []podReport             `json:"waiting"`
	Running   []podReport             `json:"running"`

	Conditions []metav1.Condition `json:"conditions"`

	now time.Time
}

// revisionReport is a revision that would be applied or reverted.
type revisionReport struct {
	Version     int          `json:"version"`
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	App         string       `json:"app"`
	Label       bundle.Label `json:"label"`
	Why         string       `json:"why,omitempty"`
	Destructive bool         `json:"destructive,omitempty"`
	LossyDown   string       `json:"lossyDown,omitempty"`
	Tables      []string     `json:"tables,omitempty"`
}

func reportRevision(r bundle.Revision) revisionReport {
	return revisionReport{
		Version: r.Version, ID: r.ID, Name: r.Name, App: r.App.String(), Label: r.Label, Why: r.Why,
		Destructive: r.Destructive, LossyDown: r.LossyDown, Tables: r.Touches,
	}
}

// jobReport is a Job with its pod.
type jobReport struct {
	Name    string       `json:"name"`
	Purpose string       `json:"purpose,omitempty"`
	Attempt int64        `json:"attempt,omitempty"`
	State   string       `json:"state"`
	Started *metav1.Time `json:"startTime,omitempty"`
	Pod     string       `json:"pod,omitempty"`
	Phase   string       `json:"phase,omitempty"`
	Message string       `json:"message,omitempty"`
}

// podReport is a labeled pod.
type podReport struct {
	Name    string      `json:"name"`
	Needs   string      `json:"needs,omitempty"`
	Image   string      `json:"image,omitempty"`
	Node    string      `json:"node,omitempty"`
	Phase   string      `json:"phase"`
	Created metav1.Time `json:"created"`
	Message string      `json:"message,omitempty"` // why it waits, or what becomes of it
}

func (v *view) status() statusReport {
	s, ready := v.schema.Status, v.condition(v1alpha1.ConditionReady)
	r := statusReport{
		Namespace: v.schema.Namespace, Name: v.schema.Name, Ready: ready.Status, Reason: ready.Reason, Message: ready.Message,
		Current: observed(v.schema), Applied: s.AppliedRevision, Target: s.TargetRevision, Birth: s.Birth, Verified: s.VerifiedTime,
		Serves: s.Serves, Gate: s.Gate, GateMode: v.schema.Spec.Gate, Suspended: ptr.Deref(v.schema.Spec.Suspend, false),
		Pending: []revisionReport{}, Waiting: []podReport{}, Running: []podReport{}, Conditions: s.Conditions, now: v.now,
	}
	work := v.decide("").Work
	if work != nil {
		for _, revision := range work.Pending {
			r.Pending = append(r.Pending, reportRevision(revision))
		}
	}
	if job, pod := v.job(); job != nil {
		r.Job = new(v.reportJob(job, pod))
	}
	for _, job := range v.helpers() {
		r.Before = append(r.Before, v.reportJob(&job, v.podOf(&job)))
	}
	v.reportPods(&r, work != nil && work.Fence && len(work.Pending) > 0)
	return r
}

func (v *view) reportPods(r *statusReport, fence bool) {
	waiting, running := v.gated()
	for i := range waiting {
		pod := v.reportPod(&waiting[i])
		pod.Message = plan.Release(v.schema, v.bundle, &waiting[i]).Message
		r.Waiting = append(r.Waiting, pod)
	}
	for i := range running {
		pod := v.reportPod(&running[i])
		switch {
		case !running[i].DeletionTimestamp.IsZero():
			pod.Message = "is ending"
		case fence:
			pod.Message = "is drained"
		}
		r.Running = append(r.Running, pod)
	}
	switch timeout := v.schema.Spec.Rollout.DrainTimeoutSeconds; {
	case !fence || len(running) == 0:
	case r.Reason == v1alpha1.ReasonDraining:
		r.Drain = fmt.Sprintf("%s to end, for at most %s since %s ago", counted(len(running), "pod"),
			time.Duration(timeout)*time.Second, v.age(ptr.Deref(v.schema.Status.Attempt.StartTime, metav1.Time{}).Time))
	case r.Reason == v1alpha1.ReasonDrainTimeout:
		r.Drain = fmt.Sprintf("%s did not end within %s", counted(len(running), "pod"), time.Duration(timeout)*time.Second)
	default:
		r.Drain = fmt.Sprintf("%s to be ended before the migration", counted(len(running), "pod"))
	}
}

func (v *view) reportPod(pod *corev1.Pod) podReport {
	return podReport{
		Name: pod.Name, Needs: v.needOf(pod), Image: v.observeImage(pod), Node: pod.Spec.NodeName,
		Phase: string(pod.Status.Phase), Created: pod.CreationTimestamp,
	}
}

func (v *view) reportJob(job *batchv1.Job, pod *corev1.Pod) jobReport {
	var pods []corev1.Pod
	if pod != nil {
		pods = append(pods, *pod)
	}
	run := migrationjob.Read(job, pods, v.now)
	r := jobReport{Name: job.Name, Purpose: string(migrationjob.PurposeOf(job)), State: string(run.State), Started: job.Status.StartTime}
	if r.Purpose == "" {
		r.Attempt = v.schema.Status.Attempt.Number
	}
	switch {
	case run.Ended():
	case run.Deleting:
		r.State = "Deleting"
	case run.Suspended:
		r.State = "Suspended"
	default:
		r.State = "Running"
	}
	if pod != nil {
		r.Pod, r.Phase = pod.Name, string(pod.Status.Phase)
	}
	if run.Waiting != nil {
		r.Message = strings.TrimSuffix(run.Waiting.Reason+": "+run.Waiting.Message, ": ")
	}
	return r
}

// briefly is how many revisions a tree shows without -o wide.
const briefly = 8

func (r statusReport) text(w io.Writer, p painter, wide bool) {
	root := node{cells: []cell{{r.Namespace + "/" + r.Name, bold}, r.ready()}}
	add := func(n ...node) { root.children = append(root.children, n...) }
	add(r.database(), r.gate())
	if r.Suspended {
		add(line("suspended", "nothing new begins: kubectl schemagate resume "+r.Name).styled(1, yellow))
	}
	if len(r.Pending) > 0 {
		add(r.pending(wide))
	}
	if r.Drain != "" {
		add(line("drain", r.Drain).styled(1, yellow))
	}
	for _, job := range r.Before {
		add(job.tree(r.now))
	}
	if r.Job != nil {
		add(r.Job.tree(r.now))
	}
	add(r.podTree("waiting", r.Waiting, wide), r.podTree("running", r.Running, wide))
	conditions := line("conditions")
	for _, c := range r.Conditions {
		message := c.Message
		if !wide && len(message) > 120 {
			message = cut(message, 120)
		}
		conditions.children = append(conditions.children, node{cells: []cell{
			{c.Type, plain}, {string(c.Status), conditionStyle(c)}, {c.Reason, plain}, {message, plain},
		}})
	}
	add(conditions)
	p.tree(w, root)
}

// cut shortens a text, between characters.
func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

// abnormal are the conditions that are there only while something is the matter.
var abnormal = map[string]style{
	v1alpha1.ConditionStalled: red, v1alpha1.ConditionDrifted: yellow, v1alpha1.ConditionReconciling: yellow, v1alpha1.ConditionApprovalRequired: yellow,
}

func conditionStyle(c metav1.Condition) style {
	if s, ok := abnormal[c.Type]; ok {
		return s
	}
	if c.Status == metav1.ConditionTrue {
		return green
	}
	return yellow
}

func (r statusReport) ready() cell {
	switch {
	case len(r.Conditions) == 0:
		return cell{"not seen by an operator yet: kubectl schemagate doctor", yellow}
	case !r.Current:
		return cell{"the operator has not seen the last change yet; before: " + r.Reason, yellow}
	case r.Ready == metav1.ConditionTrue:
		return cell{"Ready, " + r.Reason, green}
	}
	for _, c := range r.Conditions {
		if c.Type == v1alpha1.ConditionStalled {
			return cell{"Stalled, " + r.Reason, red}
		}
	}
	return cell{"not Ready, " + r.Reason, yellow}
}

// revisionText names a revision for people.
func revisionText(r v1alpha1.RevisionStatus) string {
	if r.Version == 0 {
		return "none"
	}
	return fmt.Sprintf("%d (%s, release %s)", r.Version, r.ID, r.AppVersion)
}

func (r statusReport) database() node {
	text := "nobody has looked yet"
	if r.Applied.Version > 0 {
		text = "at revision " + revisionText(r.Applied)
	}
	switch r.Target.Version {
	case 0:
		text += ", no target"
	case r.Applied.Version:
		text += ", the target"
	default:
		text += ", target " + revisionText(r.Target)
	}
	if r.Verified != nil {
		text += ", looked at " + span(r.now.Sub(r.Verified.Time)) + " ago"
	}
	return line("database", text)
}

func (r statusReport) gate() node {
	if r.GateMode == v1alpha1.GateDisabled {
		return line("gate", "Open by spec.gate: every labeled pod starts").styled(1, red)
	}
	if r.Serves.From == 0 {
		return line("gate", "Held, "+cmp.Or(r.Gate.Reason, v1alpha1.ReasonNotInspected)+": no pod starts").styled(1, yellow)
	}
	text := fmt.Sprintf("Open for pods that need revision %d to %d", r.Serves.From, r.Serves.To)
	if r.Serves.AppFrom != "" {
		text += fmt.Sprintf(": releases from %s on, before %s", r.Serves.AppFrom, r.Serves.AppBefore)
	}
	return line("gate", text)
}

func (r statusReport) pending(wide bool) node {
	n := line("pending", counted(len(r.Pending), "revision"))
	for i, revision := range r.Pending {
		if !wide && i == briefly {
			n.children = append(n.children, line(fmt.Sprintf("and %d more: kubectl schemagate plan %s -n %s", len(r.Pending)-i, r.Name, r.Namespace)))
			break
		}
		n.children = append(n.children, revision.tree())
	}
	return n
}

func (r revisionReport) tree() node {
	loss := ""
	if r.Destructive {
		loss = ", removes or reshapes data"
	}
	s := green
	if r.Label.Fencing() {
		s = red
	}
	return node{cells: []cell{{fmt.Sprint(r.Version), plain}, {r.ID, plain}, {string(r.Label), s}, {r.App, plain}, {strings.ReplaceAll(r.Name, "_", " ") + loss, plain}}}
}

func (r jobReport) tree(now time.Time) node {
	kind, text := "job", r.Name+" "+r.State
	if r.Purpose != "" {
		kind = r.Purpose
	}
	if r.Attempt > 0 {
		text += fmt.Sprintf(", attempt %d", r.Attempt)
	}
	if r.Started != nil {
		text += ", started " + span(now.Sub(r.Started.Time)) + " ago"
	}
	n := line(kind, text)
	if r.Pod != "" {
		n.children = append(n.children, line(r.Pod, r.Phase, r.Message))
	}
	return n
}

func (r statusReport) podTree(what string, pods []podReport, wide bool) node {
	n := line(what, counted(len(pods), "pod"))
	for _, pod := range pods {
		needs := "needs " + pod.Needs
		if pod.Needs == "" {
			needs = "needs ?"
		}
		row := line(pod.Name, span(r.now.Sub(pod.Created.Time)), needs)
		if wide {
			row = line(pod.Name, span(r.now.Sub(pod.Created.Time)), needs, pod.Phase, orDash(pod.Node), orDash(pod.Image))
		}
		row.cells = append(row.cells, cell{text: pod.Message})
		n.children = append(n.children, row)
	}
	return n
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
