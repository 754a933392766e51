package cli

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
)

// parsed are the fields of a command that a test looks at.
type parsed struct {
	Verb, Name string
	Timeout    time.Duration
	KeepData   bool
	Args       []string
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		env  string
		want parsed
		err  error
	}{
		"up":                   {args: []string{"up"}, want: parsed{Verb: "up", Name: "default", Timeout: defaultTimeout}},
		"up of another":        {args: []string{"up", "--name", "a", "--timeout=1m"}, want: parsed{Verb: "up", Name: "a", Timeout: time.Minute}},
		"name by environment":  {args: []string{"down"}, env: "b", want: parsed{Verb: "down", Name: "b"}},
		"flag beats it":        {args: []string{"down", "--name=a", "--keep-data"}, env: "b", want: parsed{Verb: "down", Name: "a", KeepData: true}},
		"load":                 {args: []string{"load", "x.tar", "y.tar"}, want: parsed{Verb: "load", Name: "default", Args: []string{"x.tar", "y.tar"}}},
		"flags of the command": {args: []string{"exec", "--", "kubectl", "--name"}, want: parsed{Verb: "exec", Name: "default", Args: []string{"kubectl", "--name"}}},
		"no verb":              {err: flag.ErrHelp},
		"help":                 {args: []string{"help"}, err: flag.ErrHelp},
		"help of a verb":       {args: []string{"up", "-h"}, err: flag.ErrHelp},
		"unknown verb":         {args: []string{"start"}, err: ErrUsage},
		"unknown flag":         {args: []string{"up", "--fast"}, err: ErrUsage},
		"flag of another verb": {args: []string{"up", "--keep-data"}, err: ErrUsage},
		"too many arguments":   {args: []string{"up", "now"}, err: ErrUsage},
		"too few arguments":    {args: []string{"load"}, err: ErrUsage},
		"unknown output":       {args: []string{"status", "--output", "xml"}, err: ErrUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CLUSTER_NAME", test.env)
			c, err := parse(test.args, nil, nil)
			if !errors.Is(err, test.err) {
				t.Fatalf("parse(%q) returned %v, want %v", test.args, err, test.err)
			}
			if err != nil {
				return
			}
			got := parsed{Verb: c.verb, Name: c.name, Timeout: c.timeout, KeepData: c.keepData}
			if len(c.args) > 0 {
				got.Args = c.args
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("unexpected command (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryVerbHasTwoMeanings(t *testing.T) {
	t.Parallel()
	for name := range verbs {
		if currentVerbs[name] == nil {
			t.Errorf("%s does nothing with CLUSTER=current", name)
		}
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("%s is not in the help", name)
		}
	}
}

// run executes a command line and returns what it wrote.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = Run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), err
}

func TestCurrentCluster(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own")
	content := `{"current-context": "mine", "clusters": [{"name": "c", "cluster": {"server": "https://mine"}}],
		"contexts": [{"name": "mine", "context": {"cluster": "c"}}]}`
	if err := os.WriteFile(own, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLUSTER", "current")
	t.Setenv("KUBECONFIG", filepath.Join(dir, "missing")+":"+own)
	for _, test := range []struct {
		args           []string
		stdout, stderr string
		err            error
	}{
		{args: []string{"up"}, stdout: own + "\n", stderr: "https://mine"},
		{args: []string{"status"}, stdout: own + "\n", stderr: "https://mine"},
		{args: []string{"kubeconfig"}, stdout: own + "\n"},
		{args: []string{"down"}, stderr: "nothing is stopped"},
		{args: []string{"load", "x.tar"}, err: ErrNotOurs},
		{args: []string{"exec", "--in-node", "--", "true"}, err: ErrNotOurs},
	} {
		stdout, stderr, err := run(t, test.args...)
		if stdout != test.stdout || !strings.Contains(stderr, test.stderr) || !errors.Is(err, test.err) {
			t.Errorf("%v: %q, %q, %v, want %q, %q, %v", test.args, stdout, stderr, err, test.stdout, test.stderr, test.err)
		}
	}
	t.Setenv("KUBECONFIG", filepath.Join(dir, "missing"))
	if _, _, err := run(t, "up"); !errors.Is(err, ErrNotOurs) {
		t.Errorf("up without a kubeconfig returned %v, want ErrNotOurs", err)
	}
}

func TestUnknownCluster(t *testing.T) {
	t.Setenv("CLUSTER", "kind")
	if _, _, err := run(t, "up"); !errors.Is(err, ErrUsage) {
		t.Errorf("CLUSTER=kind returned %v, want ErrUsage", err)
	}
}

func TestInstanceThatIsNotStarted(t *testing.T) {
	t.Setenv("CLUSTER", "")
	for _, args := range [][]string{{"status"}, {"kubeconfig"}, {"load", "x.tar"}, {"exec", "true"}} {
		args = append([]string{args[0], "--state-dir", t.TempDir()}, args[1:]...)
		if _, _, err := run(t, args...); !errors.Is(err, instance.ErrNotStarted) {
			t.Errorf("%v returned %v, want ErrNotStarted", args, err)
		}
	}
}
