package migrationjob

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

const (
	// user runs the program: "nonroot" by the convention of distroless images.
	user = 65532

	// gracePeriodSeconds is what a migration gets to roll back when it is ended.
	gracePeriodSeconds = 30

	// lostNodeSeconds is how long a pod stays on a node that is gone, instead of
	// Kubernetes' five minutes: people wait for it.
	lostNodeSeconds = 30

	// resultFile is where the kubelet reads the termination message.
	resultFile = "/dev/termination-log"
)

// podSpec is a pod that Pod Security "restricted" admits, apart from one that
// runs as root because the SQLite file is root's.
func podSpec(o Options) corev1.PodSpec {
	c := connect(o.Schema.Spec.Database)
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(gracePeriodSeconds)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(c.user != 0), RunAsUser: new(c.user), RunAsGroup: new(c.user), FSGroup: c.fsGroup,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: c.volumes,
		Containers: []corev1.Container{{
			Name: Container, Image: o.Image,
			Args:                     literal(arguments(o, c)),
			Env:                      environment(c, o.Environment),
			VolumeMounts:             c.mounts,
			TerminationMessagePath:   resultFile,
			TerminationMessagePolicy: corev1.TerminationMessageReadFile, // never the log
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

func arguments(o Options, c connection) []string {
	schema := o.Schema
	args := []string{
		"migrate", "--bundle=" + string(schema.Spec.Migrations.Bundle), "--to=" + strconv.Itoa(o.Target),
		"--output=json", "--result-file=" + resultFile,
		"--owner-cluster=" + o.Cluster, "--owner-namespace=" + schema.Namespace,
		"--owner-name=" + schema.Name, "--owner-uid=" + string(schema.UID),
	}
	if o.Expect != nil {
		args = append(args, "--expect="+strconv.Itoa(*o.Expect))
	}
	for _, flag := range []struct {
		set  bool
		flag string
	}{
		{o.RefuseFencing, "--refuse-fencing"},
		{o.RefuseDestructive, "--refuse-destructive"},
		{o.AllowDowngrade, "--allow-downgrade"},
		{schema.Spec.Policy.Adopt == v1alpha1.AdoptNever, "--adopt=never"},
		{schema.Spec.Policy.Drift == v1alpha1.DriftIgnore, "--drift=ignore"},
		{schema.Spec.Policy.Drift == v1alpha1.DriftBlock, "--drift=block"},
		{ptr.Deref(schema.Spec.Policy.TakeOwnership, false), "--take-ownership"},
	} {
		if flag.set {
			args = append(args, flag.flag)
		}
	}
	if o.Fence && schema.Spec.Database.SQLite.ClaimName == "" {
		args = append(args, "--fence")
		for _, name := range schema.Spec.Rollout.IgnoreSessions {
			args = append(args, "--ignore-session="+name)
		}
	}
	if seconds := schema.Spec.Execution.LockTimeoutSeconds; seconds > 0 {
		args = append(args, "--lock-timeout="+strconv.Itoa(int(seconds))+"s")
	}
	if seconds := ptr.Deref(schema.Spec.Execution.StatementTimeoutSeconds, 0); seconds > 0 {
		args = append(args, "--statement-timeout="+strconv.Itoa(int(seconds))+"s")
	}
	return append(args, c.args...)
}

// environment adds to what a connection needs. The kubelet puts in no values.
func environment(c connection, extra []corev1.EnvVar) []corev1.EnvVar {
	out := slices.Clone(c.env)
	for _, variable := range extra {
		variable.Value = escape(variable.Value)
		out = append(out, variable)
	}
	return out
}

// literal keeps the kubelet from putting the values of environment variables,
// which are secret, where arguments say $(NAME).
func literal(args []string) []string {
	for i := range args {
		args[i] = escape(args[i])
	}
	return args
}

func escape(text string) string { return strings.ReplaceAll(text, "$(", "$$(") }

// decorate adds what a DatabaseSchema may add to the pod: a closed list. What is
// ours comes last, so that nothing replaces it.
func decorate(pod *corev1.PodTemplateSpec, extra v1alpha1.PodTemplate) {
	labels := map[string]string{}
	for key, value := range extra.Labels {
		labels[key] = string(value)
	}
	maps.Copy(labels, pod.Labels)
	// The label that pods of the application carry would have the gate hold the
	// migration that it waits for. The API refuses it, too.
	delete(labels, v1alpha1.LabelSchema)
	pod.Labels = labels
	for key, value := range extra.Annotations {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, key, string(value))
	}
	for key, value := range extra.NodeSelector {
		if pod.Spec.NodeSelector == nil {
			pod.Spec.NodeSelector = map[string]string{}
		}
		pod.Spec.NodeSelector[key] = string(value)
	}
	if extra.Resources != nil {
		pod.Spec.Containers[0].Resources = *extra.Resources.DeepCopy()
	}
	pod.Spec.Affinity = extra.Affinity.DeepCopy()
	pod.Spec.PriorityClassName = string(extra.PriorityClassName)
	for _, secret := range extra.ImagePullSecrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: string(secret.Name)})
	}
	pod.Spec.Tolerations = tolerate(extra.Tolerations)
}

// tolerate adds how long the pod stays on a lost node, unless it is said.
func tolerate(said []corev1.Toleration) []corev1.Toleration {
	var tolerations []corev1.Toleration
	for i := range said {
		tolerations = append(tolerations, *said[i].DeepCopy())
	}
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if slices.ContainsFunc(said, func(t corev1.Toleration) bool { return t.Key == taint || t.Key == "" }) {
			continue
		}
		tolerations = append(tolerations, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
			TolerationSeconds: new(int64(lostNodeSeconds)),
		})
	}
	return tolerations
}
