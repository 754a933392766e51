// Package instance names one node: where its files are, which addresses it
// has, and what is recorded about it between two runs of the program.
package instance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// DefaultName is the instance used when none is named. It keeps slot 0 when
// the machine has room for it, so that its addresses do not change.
const DefaultName = "default"

// RunRoot holds sockets, locks and slot reservations of every instance. It is
// a fixed short path because the address of a unix socket ends after 108
// bytes, and on a tmpfs so that a reboot clears it.
const RunRoot = "/run/schemagate"

// A name is part of socket paths, of the node's name and of a cgroup.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// ErrInvalidName is returned for a name that cannot be part of a DNS label.
var ErrInvalidName = errors.New("invalid instance name")

// Instance is one node with its control plane.
type Instance struct {
	// Name is unique on the machine.
	Name string
	// Slot decides the addresses, see Addresses.
	Slot int
	// StateDir holds everything the instance writes, apart from sockets.
	StateDir string
}

// New returns the instance of that name with its state below stateRoot.
// The slot is not reserved yet.
func New(name, stateRoot string) (Instance, error) {
	if !validName.MatchString(name) {
		return Instance{}, fmt.Errorf("%w %q: use 1 to 32 lower-case letters, digits and dashes", ErrInvalidName, name)
	}
	dir, err := filepath.Abs(filepath.Join(stateRoot, name))
	if err != nil {
		return Instance{}, fmt.Errorf("locating the state of instance %s: %w", name, err)
	}
	// The node has a /run of its own, so nothing below it is visible there.
	if strings.HasPrefix(dir+"/", "/run/") || strings.HasPrefix(dir+"/", "/var/run/") {
		return Instance{}, fmt.Errorf("state directory %s is below /run, which the node does not share: choose another XDG_STATE_HOME", dir)
	}
	return Instance{Name: name, StateDir: dir}, nil
}

// DefaultStateRoot is ${XDG_STATE_HOME:-~/.local/state}/schemagate/cluster.
func DefaultStateRoot() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "schemagate", "cluster"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("locating the state directory: %w", err)
	}
	return filepath.Join(home, ".local", "state", "schemagate", "cluster"), nil
}

// NodeName is the name of the Kubernetes node and the host name inside it.
func (i Instance) NodeName() string { return "schemagate-" + i.Name }

// Cgroup is the parent of every pod's cgroup, in cgroupfs notation.
func (i Instance) Cgroup() string { return "/schemagate/" + i.Name }

// LinkName is the network interface on the machine that leads to the node.
func (i Instance) LinkName() string { return fmt.Sprintf("sg%d", i.Slot) }

// RunDir holds the sockets; it is visible at the same path inside the node.
func (i Instance) RunDir() string { return filepath.Join(RunRoot, i.Name) }

// ContainerdSocket is containerd's address.
func (i Instance) ContainerdSocket() string { return filepath.Join(i.RunDir(), "containerd.sock") }

// SupervisorSocket is the address of the node's first process.
func (i Instance) SupervisorSocket() string { return filepath.Join(i.RunDir(), "node.sock") }

// LogDir holds one file per component.
func (i Instance) LogDir() string { return filepath.Join(i.StateDir, "logs") }

// Log is the log of one component.
func (i Instance) Log(component string) string { return filepath.Join(i.LogDir(), component+".log") }

// PKIDir holds keys and certificates.
func (i Instance) PKIDir() string { return filepath.Join(i.StateDir, "pki") }

// ConfigDir holds the components' configuration and kubeconfigs.
func (i Instance) ConfigDir() string { return filepath.Join(i.StateDir, "config") }

// DataDir holds what a component keeps across restarts.
func (i Instance) DataDir(component string) string {
	return filepath.Join(i.StateDir, "data", component)
}

// Kubeconfig is the administrator's kubeconfig.
func (i Instance) Kubeconfig() string { return filepath.Join(i.StateDir, "kubeconfig") }
