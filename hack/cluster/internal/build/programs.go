package build

import (
	"path/filepath"
	"strings"
)

// The programs, by file name.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kubelet           = "kubelet"
	Proxy             = "kube-proxy"
	Kubectl           = "kubectl"
	Containerd        = "containerd"
	ContainerdShim    = "containerd-shim-runc-v2"
	Ctr               = "ctr"
	CoreDNS           = "coredns"
	Pause             = "pause"
)

// program is one thing to compile.
type program struct {
	name string
	// pkg is its package; one that starts with ./ is our own.
	pkg     string
	ldflags string
	tags    string
}

// programs are listed in the order in which they are compiled: the small ones
// first, so that a broken machine shows early.
func programs(v Versions) []program {
	const plain = "-s -w"
	kubernetes := plain + " -X k8s.io/component-base/version.gitVersion=" + v.Kubernetes
	// File systems that need C headers, and that overlayfs makes unnecessary.
	const containerdTags = "no_btrfs no_devmapper no_zfs"
	list := []program{
		{name: Pause, pkg: "./cmd/pause", ldflags: plain},
		{name: CoreDNS, pkg: "./cmd/coredns", ldflags: plain},
		{name: Etcd, pkg: moduleEtcd, ldflags: plain},
	}
	for _, name := range []string{Containerd, ContainerdShim, Ctr} {
		list = append(list, program{
			name: name, pkg: moduleContainerd + "/cmd/" + name, ldflags: plain, tags: containerdTags,
		})
	}
	for _, name := range []string{APIServer, ControllerManager, Scheduler, Kubelet, Proxy, Kubectl} {
		list = append(list, program{name: name, pkg: moduleKubernetes + "/cmd/" + name, ldflags: kubernetes})
	}
	return list
}

// arguments of the go command, without the output.
func (p program) arguments() []string {
	args := []string{"build", "-trimpath", "-ldflags", p.ldflags}
	if p.tags != "" {
		args = append(args, "-tags", p.tags)
	}
	return append(args, p.pkg)
}

// Binaries is a directory with all of the programs.
type Binaries struct {
	Dir string
}

// Path of one program.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

// SearchPath finds the programs first and then those of the system.
func (b Binaries) SearchPath() string {
	return strings.Join([]string{b.Dir, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, ":")
}
