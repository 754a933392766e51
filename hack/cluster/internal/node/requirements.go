// Package node starts, repairs, inspects and removes nodes.
package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrRequirement is returned when the machine lacks something.
var ErrRequirement = errors.New("this machine lacks something")

// pluginDirs are where distributions put CNI plug-ins.
var pluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// RequireRoot is checked first: all else would fail in less clear ways.
func RequireRoot() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: a node needs root for namespaces, mounts and network interfaces; "+
			"run this as root, or set CLUSTER=current to use a cluster of your own", ErrRequirement)
	}
	return nil
}

// findPrograms checks for what is not compiled from Go modules and returns the
// directory of the CNI plug-ins.
func findPrograms() (plugins string, err error) {
	var missing []string
	for program, pkg := range map[string]string{
		"runc":   "runc",
		"nft":    "nftables",
		"mount":  "mount",
		"umount": "mount",
	} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian package %s)", program, pkg))
		}
	}
	plugins, found := findPlugins()
	if !found {
		missing = append(missing, "the CNI plug-ins ptp and host-local (Debian package containernetworking-plugins)")
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%w: %s; install with: apt-get install runc nftables mount containernetworking-plugins",
			ErrRequirement, strings.Join(missing, ", "))
	}
	return plugins, nil
}

func findPlugins() (dir string, found bool) {
	for _, dir := range pluginDirs {
		_, ptp := os.Stat(filepath.Join(dir, "ptp"))
		_, local := os.Stat(filepath.Join(dir, "host-local"))
		if ptp == nil && local == nil {
			return dir, true
		}
	}
	return "", false
}
