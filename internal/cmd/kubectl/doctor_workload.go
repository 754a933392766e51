package kubectl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// checkSchemas reads the schemas, and tells of those that need somebody.
func checkSchemas(ctx context.Context, e *examination) error {
	list := &v1alpha1.DatabaseSchemaList{}
	if err := e.list(ctx, list); err != nil {
		return err
	}
	e.schemas = list.Items
	for i := range e.schemas {
		e.examineSchema(&e.schemas[i])
	}
	if len(e.schemas) == 0 {
		e.add(severityOK, place(e.scope), "there is no DatabaseSchema", "")
	}
	return nil
}

func (e *examination) examineSchema(schema *v1alpha1.DatabaseSchema) {
	object := "DatabaseSchema " + schema.Namespace + "/" + schema.Name
	stalled, approval := conditionOf(schema, v1alpha1.ConditionStalled), conditionOf(schema, v1alpha1.ConditionApprovalRequired)
	switch {
	case !e.serves(schema.Namespace):
		e.add(severityWarning, object, "the operator does not serve this namespace; another one may",
			"Name that one's namespace with --operator-namespace. Where there is none, "+
				"add this namespace to the operator's flag --namespaces, with config/namespaced/team in it.")
	case ptr.Deref(schema.Status.ObservedGeneration, -1) < 0 && e.now().Sub(schema.CreationTimestamp.Time) > time.Minute:
		e.add(severityError, object, "no operator has looked at it", "See what the checks of the operator say.")
	case stalled.Status == metav1.ConditionTrue:
		e.add(severityError, object, "Stalled, "+stalled.Reason+": "+stalled.Message, "")
	case approval.Status == metav1.ConditionTrue:
		e.add(severityWarning, object, approval.Message, "kubectl schemagate approve "+schema.Name+" -n "+schema.Namespace)
	}
	if schema.Spec.Gate == v1alpha1.GateDisabled {
		e.add(severityWarning, object, "spec.gate is Open: every labeled pod starts, whatever the database holds", "Set it to Enforced when the emergency is over.")
	}
	if ptr.Deref(schema.Spec.Suspend, false) {
		e.add(severityWarning, object, "it is suspended", "kubectl schemagate resume "+schema.Name+" -n "+schema.Namespace)
	}
}

// checkShared looks for schemas that refer to one database.
func checkShared(_ context.Context, e *examination) error {
	first := map[string]*v1alpha1.DatabaseSchema{}
	for i := range e.schemas {
		schema := &e.schemas[i]
		source := databaseOf(schema)
		other := first[source]
		if other == nil {
			first[source] = schema
			continue
		}
		e.add(severityError, "DatabaseSchema "+schema.Namespace+"/"+schema.Name, "it refers to the same database as "+other.Namespace+"/"+other.Name,
			"Delete one of the two: one database has one schema.")
	}
	return nil
}

// databaseOf tells databases apart by what the spec says: as the operator's digest
// of it, where that is known.
func databaseOf(schema *v1alpha1.DatabaseSchema) string {
	if schema.Status.Source != "" && observed(schema) {
		return schema.Status.Source
	}
	d := schema.Spec.Database
	namespace, place := schema.Namespace, cmp.Or(d.Schema, "public")
	switch {
	case d.SQLite.ClaimName != "":
		return fmt.Sprint("sqlite ", namespace, d.SQLite.ClaimName, d.SQLite.Path)
	case d.Host != "":
		return fmt.Sprint("host ", strings.ToLower(d.Host), cmp.Or(d.Port, 5432), d.Name, place)
	}
	return fmt.Sprint("url ", namespace, d.URLFrom.SecretKeyRef.Name, d.URLFrom.SecretKeyRef.Key, place)
}

// checkPods looks at labeled pods: whether their schema exists, and whether
// somebody lets those in that wait.
func checkPods(ctx context.Context, e *examination) error {
	pods := &corev1.PodList{}
	if err := e.list(ctx, pods, client.HasLabels{v1alpha1.LabelSchema}); err != nil {
		return err
	}
	e.pods = pods.Items
	for i := range e.pods {
		e.examinePod(&e.pods[i])
	}
	return nil
}

func (e *examination) examinePod(pod *corev1.Pod) {
	object, name := "Pod "+pod.Namespace+"/"+pod.Name, pod.Labels[v1alpha1.LabelSchema]
	switch {
	case e.schema(pod.Namespace, name) == nil:
		e.add(severityError, object, fmt.Sprintf("its label %s is %q, and there is no such DatabaseSchema", v1alpha1.LabelSchema, name), e.among(pod.Namespace))
	case schedgate.Has(pod) && !e.serves(pod.Namespace):
		e.add(severityWarning, object, "it waits in a namespace that the operator does not serve; another one may",
			"Where there is no other one, add the namespace to the operator's flag --namespaces.")
	case schedgate.Has(pod):
		if _, err := requirement.Of(pod); err != nil {
			e.add(severityError, object, "it waits for ever: "+err.Error(), "")
		}
	}
}

// appImage is what the image of the application is called, whatever its registry.
const appImage = "open-webui"

// checkWorkloads looks at the templates of workloads: labels that name no schema,
// and the application without a label.
func checkWorkloads(ctx context.Context, e *examination) error {
	if err := e.readWorkloads(ctx); err != nil {
		return err
	}
	for _, w := range e.workloads {
		name, labeled := w.template.Labels[v1alpha1.LabelSchema]
		switch {
		case labeled && e.schema(w.namespace, name) == nil:
			e.add(severityError, w.String(), fmt.Sprintf("the label %s of its template is %q, and there is no such DatabaseSchema", v1alpha1.LabelSchema, name), e.among(w.namespace))
		case labeled:
		case w.labels[v1alpha1.LabelSchema] != "":
			e.add(severityError, w.String(), "the label "+v1alpha1.LabelSchema+" is its own and not that of its pods, so they are not gated",
				"Set it in spec.template.metadata.labels.")
		case runsApplication(w.template.Spec):
			e.add(severityWarning, w.String(), "it runs an image "+appImage+", and its template does not have the label "+v1alpha1.LabelSchema,
				"Add the label to spec.template.metadata.labels, unless the database is not to be migrated by schemagate.")
		}
	}
	return nil
}

func runsApplication(spec corev1.PodSpec) bool {
	for _, container := range spec.Containers {
		reference, _, _ := strings.Cut(container.Image, "@")
		name, _, _ := strings.Cut(reference[strings.LastIndex(reference, "/")+1:], ":")
		if name == appImage {
			return true
		}
	}
	return false
}

// checkOwnMigrations looks whether the application still migrates by itself.
func checkOwnMigrations(ctx context.Context, e *examination) error {
	if err := e.readWorkloads(ctx); err != nil {
		return err
	}
	for _, w := range e.workloads {
		if _, labeled := w.template.Labels[v1alpha1.LabelSchema]; !labeled {
			continue
		}
		container, err := requirement.Container(&corev1.Pod{ObjectMeta: w.template.ObjectMeta, Spec: w.template.Spec})
		if err != nil {
			e.add(severityError, w.String(), err.Error(), "")
			continue
		}
		e.examineMigrations(w, container)
	}
	return nil
}

func (e *examination) examineMigrations(w workload, container *corev1.Container) {
	remedy := fmt.Sprintf("Set %s to \"false\" in the env of the container %s.", admission.MigrationsEnv, container.Name)
	for _, variable := range container.Env {
		switch {
		case variable.Name != admission.MigrationsEnv:
		case variable.ValueFrom != nil:
			e.add(severityWarning, w.String(), admission.MigrationsEnv+" comes from elsewhere, so nobody can tell whether the application migrates by itself", remedy)
			return
		case strings.EqualFold(variable.Value, "false"):
			return
		case !strings.EqualFold(variable.Value, "true"):
			e.add(severityWarning, w.String(), fmt.Sprintf("%s is %q, which is neither true nor false", admission.MigrationsEnv, variable.Value), remedy)
			return
		default:
			e.add(severityError, w.String(), fmt.Sprintf("%s is %q: the application migrates the database by itself when it starts", admission.MigrationsEnv, variable.Value), remedy)
			return
		}
	}
	if e.policies > 0 {
		e.add(severityError, w.String(), admission.MigrationsEnv+" is not set, and the policy that would set it is not installed", remedy)
	}
}

// checkDeadlines looks for Deployments that would be given up while their pods
// wait as they should.
func checkDeadlines(ctx context.Context, e *examination) error {
	if err := e.readWorkloads(ctx); err != nil {
		return err
	}
	for _, w := range e.workloads {
		schema := e.schema(w.namespace, w.template.Labels[v1alpha1.LabelSchema])
		if schema == nil || w.deadline == 0 {
			continue
		}
		if wanted := deadline(schema); w.deadline < wanted {
			e.add(severityWarning, w.String(), fmt.Sprintf("progressDeadlineSeconds is %d: a drain may take %ds, and a migration comes after it",
				w.deadline, schema.Spec.Rollout.DrainTimeoutSeconds),
				fmt.Sprintf("Set it to %d or more, or tools take the rollout for failed while its pods wait.", wanted))
		}
	}
	return nil
}

// leastMigration is how long a migration is taken to last, in seconds, where
// history does not tell of a longer one.
const leastMigration = 300

// deadline is what a rollout needs: a whole drain, and twice the longest migration
// that is known.
func deadline(schema *v1alpha1.DatabaseSchema) int32 {
	longest := int32(0)
	for _, entry := range schema.Status.History {
		longest = max(longest, ptr.Deref(entry.DurationSeconds, 0))
	}
	return cmp.Or(schema.Spec.Rollout.DrainTimeoutSeconds, leastMigration) + max(leastMigration, 2*longest)
}
