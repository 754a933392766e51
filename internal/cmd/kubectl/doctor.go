package kubectl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

type doctorCmd struct {
	*session
	format   format
	all      bool
	operator string
}

// defaultOperatorNamespace is where config/ installs the operator.
const defaultOperatorNamespace = "schemagate-system"

func newDoctorCmd(s *session) *cobra.Command {
	c := &doctorCmd{session: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with an installation",
		Long: `Doctor checks what an installation rests on: the version of the API server, the
resource definition, the admission policies and whether they act (by pods that are
created with a dry run), the operator, its permissions and its lead; and in the
namespace, or with -A in all, the schemas, the labels of pods and workloads, and what
has to go together with them. It changes nothing.

What your account may not see is said, and not taken for well. The exit code is 12 if
anything is an error.`,
		Args:              exactArgs(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              s.run(c.do),
	}
	c.format.add(cmd, formatJSON, formatYAML)
	cmd.Flags().BoolVarP(&c.all, "all-namespaces", "A", false, "look at the schemas and workloads of all namespaces")
	cmd.Flags().StringVar(&c.operator, "operator-namespace", defaultOperatorNamespace, "namespace that the operator runs in")
	return cmd
}

// severity of a finding.
type severity string

// Severities. A check that could not be made is Unknown.
const (
	severityError   severity = "Error"
	severityWarning severity = "Warning"
	severityUnknown severity = "Unknown"
	severityOK      severity = "OK"
)

// finding is what a check says about one object.
type finding struct {
	Severity severity `json:"severity"`
	Check    string   `json:"check"`
	Object   string   `json:"object,omitempty"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
}

// doctorReport is what doctor says.
type doctorReport struct {
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Unknown  int       `json:"unknown"`
	Findings []finding `json:"findings"`
}

// examination is one run of doctor: what was read once for several checks, and
// what was found.
type examination struct {
	*session
	scope    string // of the namespaced checks; empty for all
	operator string

	schemas    []v1alpha1.DatabaseSchema
	pods       []corev1.Pod
	workloads  []workload
	deployment *appsv1.Deployment // the operator's
	unreadable error              // why that could not be looked for
	policies   int                // how many are missing
	addMissing bool               // among them is the one that puts the gate on pods

	findings []finding
}

// workload is what makes pods, with its template.
type workload struct {
	kind, namespace, name string
	template              corev1.PodTemplateSpec
	labels                map[string]string
	deadline              int32 // of a Deployment's progress, in seconds
}

func (w workload) String() string { return w.kind + " " + w.namespace + "/" + w.name }

// check is one of the things that doctor looks at.
type check struct {
	name string
	run  func(context.Context, *examination) error
}

// checks are all of them, in order: each may rest on what those before have read.
func checks() []check {
	return []check{
		{"api-version", checkVersion},
		{"resource-definition", checkDefinition},
		{"policies", checkPolicies},
		{"policies-act", checkPoliciesAct},
		{"operator", checkOperator},
		{"operator-leader", checkLeader},
		{"operator-permissions", checkPermissions},
		{"schemas", checkSchemas},
		{"shared-databases", checkShared},
		{"pods", checkPods},
		{"workload-labels", checkWorkloads},
		{"own-migrations", checkOwnMigrations},
		{"progress-deadline", checkDeadlines},
	}
}

func (c *doctorCmd) do(cmd *cobra.Command, _ []string) error {
	e := &examination{session: c.session, scope: c.scope(c.all), operator: c.operator}
	e.findOperator(cmd.Context())
	for _, check := range checks() {
		before := len(e.findings)
		if err := check.run(cmd.Context(), e); err != nil {
			if isTransient(err) {
				return err // The rest would say the same.
			}
			e.unknown(err)
		}
		if len(e.findings) == before {
			e.add(severityOK, "", "nothing is wrong", "")
		}
		for i := before; i < len(e.findings); i++ {
			e.findings[i].Check = check.name
		}
	}
	r := report(e.findings)
	if err := c.write(cmd, r); err != nil {
		return err
	}
	if r.Errors > 0 {
		return &exit.Error{Code: result.ExitPermanent}
	}
	return nil
}

// add notes a finding; whoever runs the check adds its name.
func (e *examination) add(s severity, object, message, remedy string) {
	e.findings = append(e.findings, finding{Severity: s, Object: object, Message: message, Remedy: remedy})
}

// unknown notes that a check could not be made.
func (e *examination) unknown(err error) {
	remedy := ""
	if apierrors.IsForbidden(err) {
		remedy = "Bind the ClusterRole schemagate-doctor to your account, or have somebody look who may."
	}
	e.add(severityUnknown, "", "could not look: "+err.Error(), remedy)
}

func report(findings []finding) doctorReport {
	r := doctorReport{Findings: append([]finding{}, findings...)}
	for _, f := range findings {
		switch f.Severity {
		case severityError:
			r.Errors++
		case severityWarning:
			r.Warnings++
		case severityUnknown:
			r.Unknown++
		case severityOK:
		}
	}
	return r
}

func (c *doctorCmd) write(cmd *cobra.Command, r doctorReport) error {
	out := cmd.OutOrStdout()
	if c.format.machine() {
		return c.format.encode(out, r)
	}
	r.text(c.newPainter(out), func(format string, args ...any) { printf(out, format, args...) })
	return nil
}

var severityStyle = map[severity]style{severityError: red, severityWarning: yellow, severityUnknown: faint, severityOK: green}

func (r doctorReport) text(p painter, write func(string, ...any)) {
	for _, f := range r.Findings {
		object := f.Object
		if object != "" {
			object += ": "
		}
		write("%s  %-20s  %s%s\n", p.paint(cell{fmt.Sprintf("%-7s", f.Severity), severityStyle[f.Severity]}), f.Check, object, f.Message)
		if f.Remedy != "" {
			write("%s  -> %s\n", strings.Repeat(" ", 29), f.Remedy)
		}
	}
	write("\n%s, %s, %d not known\n", counted(r.Errors, "error"), counted(r.Warnings, "warning"), r.Unknown)
}

// list reads what a namespaced check needs.
func (e *examination) list(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	return e.client.List(ctx, into, append(options, client.InNamespace(e.scope))...)
}

// readWorkloads reads Deployments and StatefulSets once.
func (e *examination) readWorkloads(ctx context.Context) error {
	if e.workloads != nil {
		return nil
	}
	deployments, sets := &appsv1.DeploymentList{}, &appsv1.StatefulSetList{}
	if err := e.list(ctx, deployments); err != nil {
		return err
	}
	if err := e.list(ctx, sets); err != nil {
		return err
	}
	e.workloads = []workload{}
	for _, d := range deployments.Items {
		w := workload{kind: "Deployment", namespace: d.Namespace, name: d.Name, template: d.Spec.Template, labels: d.Labels}
		if d.Spec.ProgressDeadlineSeconds != nil {
			w.deadline = *d.Spec.ProgressDeadlineSeconds
		}
		e.workloads = append(e.workloads, w)
	}
	for _, s := range sets.Items {
		e.workloads = append(e.workloads, workload{kind: "StatefulSet", namespace: s.Namespace, name: s.Name, template: s.Spec.Template, labels: s.Labels})
	}
	slices.SortFunc(e.workloads, func(a, b workload) int { return cmp.Compare(a.String(), b.String()) })
	return nil
}

// schema returns one that was read.
func (e *examination) schema(namespace, name string) *v1alpha1.DatabaseSchema {
	for i := range e.schemas {
		if e.schemas[i].Namespace == namespace && e.schemas[i].Name == name {
			return &e.schemas[i]
		}
	}
	return nil
}

// among lists the names of the schemas of a namespace, for whoever has mistyped one.
func (e *examination) among(namespace string) string {
	var names []string
	for i := range e.schemas {
		if e.schemas[i].Namespace == namespace {
			names = append(names, e.schemas[i].Name)
		}
	}
	if len(names) == 0 {
		return "The namespace has no DatabaseSchema: create it."
	}
	return "Correct the label, or create the DatabaseSchema. The namespace has: " + strings.Join(names, ", ") + "."
}
