package components

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// maxPods is far above the default of 110: a test of scale has one node only.
const maxPods = 500

// object is a configuration document.
type object map[string]any

func (s Settings) kubelet() component {
	store := pki.NewStore(s.Instance)
	return component{
		name: build.Kubelet,
		args: []string{
			"--config=" + s.config("kubelet.yaml"),
			"--kubeconfig=" + s.kubeconfig(build.Kubelet),
			"--root-dir=" + supervisor.KubeletDir,
			"--hostname-override=" + s.Instance.NodeName(),
			"--node-ip=" + s.Instance.Addresses().Node.String(),
		},
		files: append(store.Files(pki.ClusterCA, pki.Kubelet),
			s.config("kubelet.yaml"), s.config("resolv.conf"), s.kubeconfig(build.Kubelet)),
	}
}

func (s Settings) kubeletConfig() object {
	store, addresses := pki.NewStore(s.Instance), s.Instance.Addresses()
	endpoint := "unix://" + s.Instance.ContainerdSocket()
	config := object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    addresses.Node.String(),
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": store.Cert(pki.ClusterCA)},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              store.Cert(pki.Kubelet),
		"tlsPrivateKeyFile":        store.Key(pki.Kubelet),
		"readOnlyPort":             0,
		"containerRuntimeEndpoint": endpoint,
		"imageServiceEndpoint":     endpoint,
		"clusterDNS":               []string{addresses.DNSService.String()},
		"clusterDomain":            "cluster.local",
		"resolvConf":               s.config("resolv.conf"),
		"podLogsDir":               s.podLogDir(),
		"volumePluginDir":          filepath.Join(supervisor.KubeletDir, "volume-plugins"),
		"maxPods":                  maxPods,
		"kubeAPIQPS":               clientRate,
		"kubeAPIBurst":             clientBurst,
		"serializeImagePulls":      false,
		// The machine belongs to others as well: pods get their limits, and
		// nothing is reserved, enforced or changed outside their groups. Without
		// a group per class the root would be ignored, and pods would be put
		// where nobody removes what they leave.
		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             s.Instance.Cgroup(),
		"cgroupsPerQOS":          true,
		"enforceNodeAllocatable": []string{},
		"makeIPTablesUtilChains": false,
		"failSwapOn":             false,
		// Images are loaded, not pulled: one that was collected is gone. And a
		// full disk of the machine must not evict pods.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{
			"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%",
		},
	}
	if !s.UnifiedCgroups {
		config["failCgroupV1"] = false
	}
	return config
}

func (s Settings) proxy() component {
	return component{
		name:  build.Proxy,
		args:  []string{"--config=" + s.config("kube-proxy.yaml")},
		files: []string{s.config("kube-proxy.yaml"), s.kubeconfig(build.Proxy)},
	}
}

func (s Settings) proxyConfig() object {
	addresses := s.Instance.Addresses()
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clusterCIDR":        addresses.Pods.String(),
		"hostnameOverride":   s.Instance.NodeName(),
		"clientConnection":   s.connection(build.Proxy),
		"healthzBindAddress": addresses.Node.String() + ":" + PortProxyHealth,
		// These limits are the machine's, which the node must leave alone.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

func (s Settings) containerd() component {
	return component{
		name:  build.Containerd,
		args:  []string{"--config", s.config("containerd.toml")},
		files: []string{s.config("containerd.toml"), s.cniConfigPath()},
	}
}

// containerdConfig keeps everything of containerd in the instance. Its state
// is in the node's own /run: whatever it knew about running containers is
// wrong once the node has ended.
func (s Settings) containerdConfig() string {
	return strings.NewReplacer(
		"ROOT", s.Instance.DataDir(build.Containerd),
		"SOCKET", s.Instance.ContainerdSocket(),
		"SNAPSHOTTER", s.Snapshotter,
		"PAUSE", PauseImage,
		"PLUGINS", s.PluginDir,
		"NETWORKS", s.cniDir(),
		"ARCHITECTURE", runtime.GOARCH,
	).Replace(`version = 3
root = "ROOT"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "SOCKET"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "SNAPSHOTTER"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "PAUSE"

[plugins."io.containerd.cri.v1.runtime"]
  # Otherwise runc cannot start a container where the limit of this process
  # is already above what the container asks for.
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["PLUGINS"]
    conf_dir = "NETWORKS"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      snapshotter = "SNAPSHOTTER"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false

# Loaded images are unpacked by this plug-in, which knows no other way than
# overlays unless it is told.
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/ARCHITECTURE"
  snapshotter = "SNAPSHOTTER"
`)
}

// cniConfig routes each pod through the node instead of putting all on one
// bridge. On a bridge, the answer of a pod to another one that asked it by a
// service's address would bypass the node, which alone can undo the
// translation, unless the kernel module br_netfilter is loaded.
func (s Settings) cniConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "node",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": %q, "gateway": %q}]]
      }
    }
  ]
}
`, s.Instance.Addresses().Pods, s.Instance.Addresses().PodGateway)
}

// Snapshotter chooses how containerd lays out images in the directory: by
// overlays, unless it lies on one itself, as inside a container.
func Snapshotter(dir string) (string, error) {
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return "", fmt.Errorf("looking at the file system of %s: %w", dir, err)
	}
	if info.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}
