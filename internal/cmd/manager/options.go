package manager

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// serviceAccountNamespace holds the namespace of the pod that the process runs in.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Options are the settings of the operator. Flags are the only way to set them.
type Options struct {
	// Namespaces limits the operator to these. Without any it serves all, and
	// needs a ClusterRole; with some it needs a Role in each.
	Namespaces []string

	// LeaderElect has only one of several replicas act at a time. Switching it
	// off is for development: two operators without it could open gates by two
	// opinions.
	LeaderElect bool

	// LeaderElectionNamespace holds the Lease; by default the namespace that
	// the operator's pod runs in.
	LeaderElectionNamespace string

	// MetricsBindAddress serves metrics by HTTPS to callers that may get
	// /metrics; "0" switches them off.
	MetricsBindAddress string

	// HealthBindAddress serves /healthz and /readyz by HTTP; "0" switches them off.
	HealthBindAddress string

	// MigrationImage is what migration pods run. Empty means the image of the
	// operator's own pod, which PodName names.
	MigrationImage, PodName string

	// ClusterID tells the databases of this cluster from those of others that
	// have a DatabaseSchema of the same name. Empty means the UID of the
	// namespace kube-system.
	ClusterID string

	// LogFormat is json or text, LogLevel debug, info, warn or error.
	LogFormat, LogLevel string
}

func (o *Options) addTo(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Namespaces, "namespaces", nil,
		"serve only these namespaces, separated by commas; all when empty")
	flags.BoolVar(&o.LeaderElect, "leader-elect", true, "let only one of several replicas act at a time")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "",
		"namespace of the leader's Lease; that of the operator's own pod when empty")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", ":8443",
		"address to serve metrics on by HTTPS, to callers that may get /metrics; 0 for none")
	flags.StringVar(&o.HealthBindAddress, "health-probe-bind-address", ":8081",
		"address to serve /healthz and /readyz on; 0 for none")
	flags.StringVar(&o.MigrationImage, "migration-image", "", "image of migration pods; that of the operator's own pod when empty")
	flags.StringVar(&o.PodName, "pod-name", "", "name of the operator's own pod, for --migration-image")
	flags.StringVar(&o.ClusterID, "cluster-id", "",
		"what databases remember the cluster by; the UID of the namespace kube-system when empty. It must never change")
	flags.StringVar(&o.LogFormat, "log-format", "json", "format of the log: json or text")
	flags.StringVar(&o.LogLevel, "log-level", "info", "least level to log: debug, info, warn or error")
}

// Complete fills in what follows from where the operator runs.
func (o *Options) Complete() error {
	if o.LeaderElectionNamespace != "" || !o.LeaderElect && o.MigrationImage != "" {
		return nil
	}
	content, err := os.ReadFile(serviceAccountNamespace)
	if err != nil {
		if !o.LeaderElect {
			return nil
		}
		return fmt.Errorf("--leader-election-namespace is empty and the operator does not run in a pod that would tell: "+
			"set it, or --leader-elect=false: %w", err)
	}
	o.LeaderElectionNamespace = strings.TrimSpace(string(content))
	return nil
}

// Validate says what is wrong with the settings: the flag, its value and what
// to do.
func (o *Options) Validate() error {
	seen := map[string]bool{}
	for _, namespace := range o.Namespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return fmt.Errorf("--namespaces contains %q, which is no namespace: %s", namespace, strings.Join(problems, "; "))
		}
		if seen[namespace] {
			return fmt.Errorf("--namespaces contains %q twice: name it once", namespace)
		}
		seen[namespace] = true
	}
	if o.MigrationImage == "" && (o.PodName == "" || o.LeaderElectionNamespace == "") {
		return errors.New("--migration-image is empty and --pod-name does not tell whose image to take: set one of them")
	}
	if strings.ContainsFunc(o.ClusterID, func(c rune) bool { return !unicode.IsPrint(c) }) || len(o.ClusterID) > 253 {
		return fmt.Errorf("--cluster-id is %q: use at most 253 printable characters", o.ClusterID)
	}
	if !slices.Contains([]string{"json", "text"}, o.LogFormat) {
		return fmt.Errorf("--log-format is %q: use json or text", o.LogFormat)
	}
	if _, err := o.level(); err != nil {
		return err
	}
	return nil
}

func (o *Options) level() (slog.Level, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[o.LogLevel]
	if !ok {
		return 0, fmt.Errorf("--log-level is %q: use debug, info, warn or error", o.LogLevel)
	}
	return level, nil
}
