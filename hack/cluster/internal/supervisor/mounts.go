package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// KubeletDir is the kubelet's directory inside the node. It is short because
// the kubelet puts unix sockets into it.
const KubeletDir = "/run/kubelet"

// MountPoints are directories of the machine that components write to at a
// fixed path; inside the node a private one covers each. They are created when
// missing, and whoever stops the last node may remove them when empty.
var MountPoints = []string{"/var/lib/cni", "/var/log/containers"}

// privateDir holds what covers directories and files of the machine, at the
// same path below it.
const privateDir = "/run/private"

// kernelTunables are settings of the whole machine that the kubelet insists
// on. The node shows it files that already say so, and the machine keeps its
// own values.
var kernelTunables = map[string]int{
	"/proc/sys/vm/overcommit_memory":      1,
	"/proc/sys/vm/panic_on_oom":           0,
	"/proc/sys/kernel/panic":              10,
	"/proc/sys/kernel/panic_on_oops":      1,
	"/proc/sys/kernel/keys/root_maxkeys":  1_000_000,
	"/proc/sys/kernel/keys/root_maxbytes": 25_000_000,
}

// mountAll prepares the mount namespace. Nothing of it reaches the machine,
// and all of it goes with the last process of the node.
func mountAll(config Config) error {
	// First receive but never send, then share with the containers inside.
	for _, propagation := range []uintptr{unix.MS_SLAVE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|propagation, ""); err != nil {
			return fmt.Errorf("changing the propagation of mounts: %w", err)
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := mountRun(config.RunDir); err != nil {
		return err
	}
	if err := bind(config.KubeletDir, KubeletDir); err != nil {
		return err
	}
	for _, point := range MountPoints {
		if err := os.MkdirAll(point, 0o750); err != nil {
			return fmt.Errorf("creating mount point %s: %w", point, err)
		}
		if err := bind(privateDir+point, point); err != nil {
			return err
		}
	}
	return coverTunables()
}

// mountRun gives the node a /run of its own, with the instance's sockets as
// the only part that the machine sees.
func mountRun(shared string) (err error) {
	dir, err := os.Open(filepath.Clean(shared))
	if err != nil {
		return fmt.Errorf("opening the directory of sockets: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	// Its path is covered now; the descriptor still leads to it.
	return bind("/proc/self/fd/"+strconv.FormatUint(uint64(dir.Fd()), 10), shared)
}

func coverTunables() error {
	for path, value := range kernelTunables {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue // a kernel built without it; the kubelet will say so
		}
		file := privateDir + path
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("covering %s: %w", path, err)
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(value)+"\n"), 0o600); err != nil {
			return fmt.Errorf("covering %s: %w", path, err)
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", path, err)
		}
	}
	return nil
}

// bind shows the directory source at target as well; both are created.
func bind(source, target string) error {
	for _, dir := range []string{source, target} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("creating %s: %w", dir, err)
		}
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", source, target, err)
	}
	return nil
}
