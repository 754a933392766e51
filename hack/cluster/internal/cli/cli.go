// Package cli is the command line of the program.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/node"
	"github.com/schemagate/schemagate/hack/cluster/internal/progress"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// NodeVerb makes the program a node's first process. It is for the program
// itself and not shown in the help.
const NodeVerb = "node-supervisor"

// defaultTimeout is for starting a node, not for compiling it.
const defaultTimeout = 5 * time.Minute

// ErrUsage is returned for a command line that cannot be understood.
var ErrUsage = errors.New("usage")

const help = `usage: go -C hack/cluster run . VERB [FLAGS] [ARGUMENTS]

  build                compile the programs of the node, once for each set of versions
  up                   start the node, or what is missing of it, and wait until pods can run
  status               say what runs (exit status 1 unless all is well)
  load ARCHIVE...      load image archives (docker or OCI) into the node
  kubeconfig           print the path of the administrator's kubeconfig
  exec -- COMMAND...   run a command with KUBECONFIG, and kubectl and ctr on its PATH
  down                 stop the node and remove it, apart from its logs

flags of all verbs:
  --name NAME          the instance (default "default", or CLUSTER_NAME)
  --cache-dir DIR      where the programs are (default ${XDG_CACHE_HOME:-~/.cache}/schemagate/cluster)
  --state-dir DIR      where instances are (default ${XDG_STATE_HOME:-~/.local/state}/schemagate/cluster)
up:      --timeout DURATION   how long the start may take (default 5m0s), without compiling
status:  --output json        for programs
down:    --keep-data          let the next up continue with the same cluster
exec:    --in-node            inside the node's namespaces, as root

CLUSTER=current uses the cluster of your own kubeconfig and starts nothing.
`

// command is a parsed command line with where to write.
type command struct {
	stdout, stderr io.Writer

	verb                     string
	name, cacheDir, stateDir string
	timeout                  time.Duration
	output                   string
	keepData, inNode         bool
	args                     []string
}

type verb func(*command, context.Context) error

// Two tables: what a verb does with a node of ours, and with the cluster of
// the user's own kubeconfig.
var (
	verbs = map[string]verb{
		"build": (*command).build, "up": (*command).up, "status": (*command).status, "load": (*command).load,
		"kubeconfig": (*command).kubeconfig, "exec": (*command).exec, "down": (*command).down,
	}
	currentVerbs = map[string]verb{
		"build": (*command).build, "up": (*command).currentUp, "status": (*command).currentUp, "load": (*command).currentLoad,
		"kubeconfig": (*command).currentKubeconfig, "exec": (*command).currentExec, "down": (*command).currentDown,
	}
)

// Run executes a command line without the program's name.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == NodeVerb {
		return supervisor.Run(ctx, args[1])
	}
	c, err := parse(args, stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return c.print(help)
	}
	if err != nil {
		return err
	}
	table, err := chooseTable(os.Getenv("CLUSTER"))
	if err != nil {
		return err
	}
	return table[c.verb](c, ctx)
}

func chooseTable(cluster string) (map[string]verb, error) {
	switch cluster {
	case "":
		return verbs, nil
	case "current":
		return currentVerbs, nil
	default:
		return nil, fmt.Errorf("%w: CLUSTER is %q; leave it empty for a node of our own, or set it to current", ErrUsage, cluster)
	}
}

func parse(args []string, stdout, stderr io.Writer) (*command, error) {
	c := &command{stdout: stdout, stderr: stderr}
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		return c, flag.ErrHelp
	}
	c.verb = args[0]
	if _, known := verbs[c.verb]; !known {
		return c, fmt.Errorf("%w: there is no verb %q\n%s", ErrUsage, c.verb, help)
	}
	flags := flag.NewFlagSet(c.verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := os.Getenv("CLUSTER_NAME")
	if name == "" {
		name = instance.DefaultName
	}
	flags.StringVar(&c.name, "name", name, "")
	flags.StringVar(&c.cacheDir, "cache-dir", "", "")
	flags.StringVar(&c.stateDir, "state-dir", "", "")
	switch c.verb {
	case "up":
		flags.DurationVar(&c.timeout, "timeout", defaultTimeout, "")
	case "status":
		flags.StringVar(&c.output, "output", "", "")
	case "down":
		flags.BoolVar(&c.keepData, "keep-data", false, "")
	case "exec":
		flags.BoolVar(&c.inNode, "in-node", false, "")
	}
	if err := flags.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, fmt.Errorf("%w: %w\n%s", ErrUsage, err, help)
	}
	c.args = flags.Args()
	err := c.validate()
	return c, err
}

func (c *command) validate() error {
	takesArguments := c.verb == "load" || c.verb == "exec"
	switch {
	case takesArguments && len(c.args) == 0:
		return fmt.Errorf("%w: %s needs arguments\n%s", ErrUsage, c.verb, help)
	case !takesArguments && len(c.args) > 0:
		return fmt.Errorf("%w: %s takes no arguments, but got %q", ErrUsage, c.verb, c.args)
	case c.output != "" && c.output != "json":
		return fmt.Errorf("%w: --output is %q; leave it out or set it to json", ErrUsage, c.output)
	}
	return nil
}

// cluster is the instance that the command line names.
func (c *command) cluster() (*node.Cluster, error) {
	root := c.stateDir
	if root == "" {
		var err error
		if root, err = instance.DefaultStateRoot(); err != nil {
			return nil, err
		}
	}
	inst, err := instance.New(c.name, root)
	if err != nil {
		return nil, err
	}
	return &node.Cluster{Instance: inst, Report: c.report(), NodeVerb: NodeVerb}, nil
}

// report goes to standard error: standard output is for answers.
func (c *command) report() *progress.Report { return progress.New(c.stderr) }

func (c *command) binaries(ctx context.Context) (build.Binaries, error) {
	root := c.cacheDir
	if root == "" {
		var err error
		if root, err = build.DefaultCacheRoot(); err != nil {
			return build.Binaries{}, err
		}
	}
	source, err := build.FindSource(ctx)
	if err != nil {
		return build.Binaries{}, err
	}
	return build.Ensure(ctx, source, root, c.report())
}

func (c *command) print(lines ...string) error {
	_, err := io.WriteString(c.stdout, strings.Join(lines, "\n"))
	return err
}
