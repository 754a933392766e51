package manager

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"
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

	// LeaseDuration is how long the other replicas wait after the leader was
	// heard of last, RenewDeadline how long a leader tries to be heard before it
	// ends, and RetryPeriod the pause between two tries of either. Together they
	// bound how long nobody acts after a crash: by LeaseDuration and about two
	// RetryPeriods.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration

	// AdmissionPolicies is Required, with which the operator is not ready while
	// the admission policies are not installed, or Optional, for clusters where
	// the templates of pods have the gate. PoliciesInterval is the pause between
	// two looks for them; 0 means to look once.
	AdmissionPolicies string
	PoliciesInterval  time.Duration

	// LogFormat is json or text, LogLevel debug, info, warn or error.
	LogFormat, LogLevel string

	// Clock is what the operator takes for the time of day; nil means the
	// system's. It has no flag: tests have it jump.
	Clock clock.PassiveClock
}

func (o *Options) clock() clock.PassiveClock {
	if o.Clock == nil {
		return clock.RealClock{}
	}
	return o.Clock
}

// The defaults of the leader's election let another replica take over within
// five seconds of a crash, a quarter of a second of which is for the API server. The
// lease ends by the clock of whoever watches it, who hears of its last renewal up to
// one pause between two tries late, and tries to take it up to another one late.
const (
	defaultLeaseDuration = 3 * time.Second
	defaultRenewDeadline = 2400 * time.Millisecond
	defaultRetryPeriod   = 400 * time.Millisecond
)

const (
	policiesRequired        = "Required"
	policiesOptional        = "Optional"
	defaultPoliciesInterval = 5 * time.Minute
)

func (o *Options) addTo(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Namespaces, "namespaces", nil,
		"serve only these namespaces, separated by commas; all when empty")
	flags.BoolVar(&o.LeaderElect, "leader-elect", true, "let only one of several replicas act at a time")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "",
		"namespace of the leader's Lease; that of the operator's own pod when empty")
	flags.DurationVar(&o.LeaseDuration, "leader-elect-lease-duration", defaultLeaseDuration,
		"how long the other replicas wait after the leader was heard of last")
	flags.DurationVar(&o.RenewDeadline, "leader-elect-renew-deadline", defaultRenewDeadline,
		"how long a leader tries to be heard before it ends; less than the lease's duration")
	flags.DurationVar(&o.RetryPeriod, "leader-elect-retry-period", defaultRetryPeriod,
		"pause between two tries to renew or to become the leader")
	flags.StringVar(&o.AdmissionPolicies, "admission-policies", policiesRequired,
		"whether the operator is ready without the admission policies: Required, or Optional where the templates of pods have the gate")
	flags.DurationVar(&o.PoliciesInterval, "admission-policies-interval", defaultPoliciesInterval,
		"pause between two looks whether the admission policies are installed; 0 to look once")
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
	if err := o.validateLeader(); err != nil {
		return err
	}
	if !slices.Contains([]string{policiesRequired, policiesOptional, ""}, o.AdmissionPolicies) {
		return fmt.Errorf("--admission-policies is %q: use Required or Optional", o.AdmissionPolicies)
	}
	if o.PoliciesInterval < 0 {
		return fmt.Errorf("--admission-policies-interval is %s: use 0 or more", o.PoliciesInterval)
	}
	if !slices.Contains([]string{"json", "text"}, o.LogFormat) {
		return fmt.Errorf("--log-format is %q: use json or text", o.LogFormat)
	}
	if _, err := o.level(); err != nil {
		return err
	}
	return nil
}

// validateLeader keeps to what client-go demands of these, and says so by flag.
func (o *Options) validateLeader() error {
	if !o.LeaderElect || o.LeaseDuration == 0 && o.RenewDeadline == 0 && o.RetryPeriod == 0 {
		return nil
	}
	const jitter = 1.2 // client-go's
	switch {
	case o.LeaseDuration < time.Second || o.LeaseDuration%time.Second != 0:
		return fmt.Errorf("--leader-elect-lease-duration is %s: use whole seconds, at least one", o.LeaseDuration)
	case o.RenewDeadline >= o.LeaseDuration:
		return fmt.Errorf("--leader-elect-renew-deadline is %s: use less than --leader-elect-lease-duration, which is %s", o.RenewDeadline, o.LeaseDuration)
	case o.RetryPeriod <= 0 || o.RenewDeadline <= time.Duration(jitter*float64(o.RetryPeriod)):
		return fmt.Errorf("--leader-elect-retry-period is %s: use more than 0, and less than %s by 1.2, which is --leader-elect-renew-deadline", o.RetryPeriod, o.RenewDeadline)
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
