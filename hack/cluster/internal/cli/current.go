package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/kubeconfig"
)

// ErrNotOurs is returned for what cannot be done to a cluster of the user's.
var ErrNotOurs = errors.New("CLUSTER=current")

// ownKubeconfig finds the file as kubectl does: the first one of KUBECONFIG
// that can be read, or the one in the home directory.
func ownKubeconfig() (string, error) {
	candidates := filepath.SplitList(os.Getenv("KUBECONFIG"))
	if len(candidates) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("locating the kubeconfig: %w", err)
		}
		candidates = []string{filepath.Join(home, ".kube", "config")}
	}
	for _, path := range candidates {
		if unix.Access(path, unix.R_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: there is no kubeconfig at %v; set KUBECONFIG, or leave CLUSTER empty for a node of our own", ErrNotOurs, candidates)
}

func (c *command) currentUp(context.Context) error {
	path, err := ownKubeconfig()
	if err != nil {
		return err
	}
	contextName, server, err := kubeconfig.CurrentServer(path)
	if err != nil {
		return err
	}
	c.report().Say("CLUSTER=current: using context %s (%s), nothing is started", contextName, server)
	return c.print(path, "")
}

func (c *command) currentKubeconfig(context.Context) error {
	path, err := ownKubeconfig()
	if err != nil {
		return err
	}
	return c.print(path, "")
}

func (c *command) currentLoad(context.Context) error {
	return fmt.Errorf("%w: images cannot be loaded into a cluster of your own; "+
		"push %v to a registry that its nodes pull from, and use that name", ErrNotOurs, c.args)
}

func (c *command) currentDown(context.Context) error {
	c.report().Say("CLUSTER=current: nothing was started, so nothing is stopped")
	return nil
}

func (c *command) currentExec(context.Context) error {
	path, err := ownKubeconfig()
	if err != nil {
		return err
	}
	if c.inNode {
		return fmt.Errorf("%w: --in-node needs a node of our own", ErrNotOurs)
	}
	if err := os.Setenv("KUBECONFIG", path); err != nil {
		return fmt.Errorf("preparing the environment: %w", err)
	}
	return become(c.args)
}
