// Package kubectl holds the commands that look at DatabaseSchemas in a cluster and
// act on them, as the person who calls: "kubectl schemagate", and the same below
// "schemagate kubectl". They read and write what the API server lets that person
// read and write, and never speak to a database.
//
// Nothing here does anything before one of the commands runs: the program is the
// operator, too.
package kubectl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/version"
	"github.com/schemagate/schemagate/migrations"
)

// PluginName is the name of the program by which kubectl finds it.
const PluginName = "kubectl-schemagate"

// CompletionName is the name by which kubectl finds what completes the words of
// the plugin.
const CompletionName = "kubectl_complete-schemagate"

// long is what the group of commands says about itself.
const long = `Looks at DatabaseSchemas in a cluster and acts on them, with the permissions that
you have there. The flags that choose the cluster, the namespace and the account
are those of kubectl.

Exit codes: 0 done, 10 usage, 11 transient (try again later, or it took longer than
--timeout), 12 permanent (a schema is Stalled, doctor has found an error, or the API
server does not allow it), 13 refused by an admission policy or by you; verify ends
with 15 when the database has drifted, or is not where the status had it.`

// NewCmd returns the group of commands, below another one.
func NewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl",
		Short: "Look at schemas in a cluster and act on them; also kubectl schemagate",
		Long:  long,
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	AddTo(cmd)
	return cmd
}

// NewPlugin returns the group of commands as a program of its own.
func NewPlugin() *cobra.Command {
	cmd := NewCmd()
	cmd.Use, cmd.Short = PluginName, "Look at DatabaseSchemas and act on them"
	cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl schemagate"}
	return cmd
}

// AddTo adds the commands and the flags that all of them have.
func AddTo(cmd *cobra.Command) {
	s := newSession()
	s.config.AddFlags(cmd.PersistentFlags())
	// A file of values is of no use here, and its default names a home directory.
	_ = cmd.PersistentFlags().MarkHidden("cache-dir")
	cmd.AddCommand(newStatusCmd(s), newWatchCmd(s), newPlanCmd(s), newHistoryCmd(s), newApproveCmd(s), newRetryCmd(s),
		newSuspendCmd(s), newResumeCmd(s), newReleaseCmd(s), newVerifyCmd(s), newDoctorCmd(s))
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usage(fmt.Errorf("unknown command; see %s --help", cmd.CommandPath()))
	}
	return nil
}

// session is one call of one command.
type session struct {
	config *genericclioptions.ConfigFlags

	// now, terminal and poll are other ones in tests.
	now      func() time.Time
	terminal func(any) bool
	poll     time.Duration

	// client and clientset are there once connect has succeeded.
	client    client.Client
	clientset kubernetes.Interface
	namespace string
}

func newSession() *session {
	return &session{config: genericclioptions.NewConfigFlags(true), now: time.Now, terminal: output.IsTerminal, poll: time.Second}
}

// connect finds the cluster and the namespace.
func (s *session) connect() error {
	if s.client != nil {
		return nil
	}
	config, err := s.config.ToRESTConfig()
	if err != nil {
		return exit.Usage(fmt.Errorf("finding the cluster: %w; see --kubeconfig and --context", err))
	}
	config.QPS = -1 // One person's requests; the API server has limits of its own.
	config.UserAgent = PluginName + "/" + version.Version()
	if s.namespace, _, err = s.config.ToRawKubeConfigLoader().Namespace(); err != nil {
		return exit.Usage(fmt.Errorf("finding the namespace: %w", err))
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if s.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	s.client, err = client.New(config, client.Options{Scheme: scheme})
	return explain(err)
}

// openWebUI returns the revisions that this program knows.
func openWebUI() (*bundle.Bundle, error) {
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		return nil, fmt.Errorf("loading the bundle: %w", err)
	}
	return b, nil
}

// explain gives an error of the API server its exit code, and a remedy where one
// is known.
func explain(err error) error {
	var coded *exit.Error
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case clientcmd.IsEmptyConfig(err):
		return exit.Usage(errors.New("no cluster is configured: set KUBECONFIG or --kubeconfig"))
	case apimeta.IsNoMatchError(err):
		return permanent(errors.New("the cluster has no resource databaseschemas.schemagate.dev: install schemagate there, or choose another cluster with --context"))
	case isCertificate(err):
		return permanent(err)
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err),
		apierrors.IsConflict(err), apierrors.IsInternalError(err), isNetwork(err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return transient(err)
	}
	return permanent(err)
}

// isCertificate reports whether one side does not accept the other's certificate.
// Another try would say the same.
func isCertificate(err error) bool {
	if operation, ok := errors.AsType[*net.OpError](err); ok && (operation.Op == "remote error" || operation.Op == "local error") {
		return true // These are the alerts of TLS, and no failures of the network.
	}
	return is[*tls.CertificateVerificationError](err) || is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) ||
		is[x509.CertificateInvalidError](err)
}

// isNetwork reports whether the API server was not reached, or was lost on the way.
func isNetwork(err error) bool {
	return is[*net.DNSError](err) || is[*net.OpError](err) || utilnet.IsTimeout(err) || utilnet.IsProbableEOF(err) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)
}

// is reports whether an error is of a type, or wraps one.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func permanent(err error) error { return &exit.Error{Code: result.ExitPermanent, Err: err} }

func transient(err error) error { return &exit.Error{Code: result.ExitTransient, Err: err} }

func refused(err error) error { return &exit.Error{Code: result.ExitRefused, Err: err} }

// printf writes to a person. What cannot be written is lost.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// run connects before a command does its part, and explains what it fails with.
func (s *session) run(do func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := s.connect(); err != nil {
			return err
		}
		return explain(do(cmd, args))
	}
}

// exactArgs wants a number of arguments, and says which.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return exit.Usage(fmt.Errorf("say which %s: %s", names[len(args)], cmd.UseLine()))
		case len(args) > len(names):
			return exit.Usage(fmt.Errorf("too many arguments: %s", cmd.UseLine()))
		}
		return validNames(args)
	}
}

// validNames refuses what is no name without repeating it: it may be a URL.
func validNames(args []string) error {
	for _, arg := range args {
		if len(validation.IsDNS1123Subdomain(arg)) > 0 {
			return exit.Usage(errors.New("an argument is no name of an object: lower-case letters, digits, '-' and '.'"))
		}
	}
	return nil
}

// upTo wants at most a number of arguments.
func upTo(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return exit.Usage(fmt.Errorf("too many arguments: %s", cmd.UseLine()))
		}
		return validNames(args)
	}
}
