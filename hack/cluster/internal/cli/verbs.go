package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/node"
)

// ErrNotHealthy is returned by status when something does not work.
var ErrNotHealthy = errors.New("the cluster is not healthy; up repairs it")

func (c *command) build(ctx context.Context) error {
	binaries, err := c.binaries(ctx)
	if err != nil {
		return err
	}
	return c.print(binaries.Dir, "")
}

func (c *command) up(ctx context.Context) error {
	if err := node.Requirements(); err != nil {
		return err
	}
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	binaries, err := c.binaries(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := cluster.Up(ctx, binaries); err != nil {
		return err
	}
	c.warnAboutProxy(cluster.Instance)
	cluster.Report.Say("instance %s is ready after %.1fs, kubeconfig:", c.name, time.Since(started).Seconds())
	return c.print(cluster.Instance.Kubeconfig(), "")
}

// warnAboutProxy speaks up where every client that honors the environment
// would send requests for the node to a proxy that cannot reach it.
func (c *command) warnAboutProxy(inst instance.Instance) {
	block := inst.Addresses().Block.String()
	for _, variable := range []string{"HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(variable) == "" {
			continue
		}
		if !strings.Contains(os.Getenv("NO_PROXY")+","+os.Getenv("no_proxy"), block) {
			c.report().Say("note: %s is set; add %s to NO_PROXY, or clients will not reach the cluster", variable, block)
		}
		return
	}
}

func (c *command) down(ctx context.Context) error {
	if err := node.RequireRoot(); err != nil {
		return err
	}
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	return cluster.Down(ctx, c.keepData)
}

func (c *command) status(ctx context.Context) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	status, err := cluster.Status(ctx)
	if err != nil {
		return err
	}
	if c.output == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(status)
	} else {
		err = c.printStatus(status)
	}
	if err == nil && !status.Healthy {
		err = ErrNotHealthy
	}
	return err
}

func (c *command) printStatus(status node.Status) error {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	rows := [][2]string{
		{"instance", status.Name},
		{"kubeconfig", status.Kubeconfig},
		{"API server", status.APIServer},
		{"machine, as pods reach it", status.HostAddress},
		{"pods", status.PodCIDR},
		{"services", status.ServiceCIDR},
		{"programs", status.Binaries},
		{"logs", status.Logs},
	}
	for _, component := range status.Components {
		state := "well, process " + strconv.Itoa(component.PID)
		if component.Problem != "" {
			state = component.Problem
		}
		rows = append(rows, [2]string{component.Name, state})
	}
	for _, row := range rows {
		if _, err := fmt.Fprintf(table, "%s\t%s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return table.Flush()
}

func (c *command) load(ctx context.Context) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	loaded, err := cluster.Load(ctx, c.args...)
	return errors.Join(c.print(append(loaded, "")...), err)
}

func (c *command) kubeconfig(context.Context) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	if _, err := cluster.Instance.Load(); err != nil {
		return err
	}
	return c.print(cluster.Instance.Kubeconfig(), "")
}

// exec becomes the command, so that signals and the exit status are its own.
func (c *command) exec(context.Context) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	record, err := cluster.Instance.Load()
	if err != nil {
		return err
	}
	binaries := build.Binaries{Dir: record.Binaries}
	cluster.Instance.Slot = record.Slot
	block := cluster.Instance.Addresses().Block.String()
	for variable, value := range map[string]string{
		"KUBECONFIG":           cluster.Instance.Kubeconfig(),
		"CONTAINERD_ADDRESS":   cluster.Instance.ContainerdSocket(),
		"CONTAINERD_NAMESPACE": "k8s.io",
		"PATH":                 binaries.Dir + ":" + os.Getenv("PATH"),
		"NO_PROXY":             strings.Trim(os.Getenv("NO_PROXY")+","+block, ","),
		"no_proxy":             strings.Trim(os.Getenv("no_proxy")+","+block, ","),
	} {
		if err := os.Setenv(variable, value); err != nil {
			return fmt.Errorf("preparing the environment: %w", err)
		}
	}
	args := c.args
	if c.inNode {
		args = append([]string{"nsenter", "--target", strconv.Itoa(record.Supervisor.PID), "--mount", "--net", "--pid", "--uts", "--"}, args...)
	}
	return become(args)
}

func become(args []string) error {
	program, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("running a command: %w", err)
	}
	if err := unix.Exec(program, args, os.Environ()); err != nil {
		return fmt.Errorf("running %s: %w", program, err)
	}
	return nil
}
