// Package components says how each program of a node is run: its arguments and
// the configuration it reads. It writes files and starts nothing.
package components

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/kubeconfig"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// PauseImage is the image that holds a pod's namespaces. It exists in the
// node only; nothing is pulled.
const PauseImage = "schemagate.local/pause:1"

// Settings are all that the components depend on.
type Settings struct {
	Instance instance.Instance
	Binaries build.Binaries
	// Snapshotter is how containerd lays out images, see Snapshotter.
	Snapshotter string
	// UnifiedCgroups says that the machine has cgroup v2 alone.
	UnifiedCgroups bool
	// PluginDir is where the CNI plug-ins are.
	PluginDir string
}

// Plan is what to start. Base comes first, Rest once the API server answers.
type Plan struct {
	Base, Rest []supervisor.Spec
}

// component is a program with the files that it reads when it starts.
type component struct {
	name  string
	args  []string
	files []string
}

// Prepare writes the configuration of all components and returns how to start
// them. Keys and certificates must exist.
func Prepare(s Settings) (Plan, error) {
	for _, dir := range []string{
		s.Instance.ConfigDir(), s.cniDir(), s.Instance.LogDir(), s.podLogDir(),
		s.Instance.DataDir(build.Etcd), s.Instance.DataDir(build.Containerd), s.Instance.DataDir(build.Kubelet),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Plan{}, fmt.Errorf("creating the directories of the components: %w", err)
		}
	}
	for _, generate := range []func() (map[string][]byte, error){s.kubeconfigs, s.documents} {
		files, err := generate()
		if err != nil {
			return Plan{}, err
		}
		if err := writeFiles(files); err != nil {
			return Plan{}, err
		}
	}
	base, err := s.specs(s.etcd(), s.containerd(), s.apiServer())
	if err != nil {
		return Plan{}, err
	}
	rest, err := s.specs(s.kubelet(), s.controllerManager(), s.scheduler(), s.proxy(), s.dns())
	return Plan{Base: base, Rest: rest}, err
}

func (s Settings) specs(list ...component) ([]supervisor.Spec, error) {
	specs := make([]supervisor.Spec, 0, len(list))
	for _, each := range list {
		digest, err := digestOf(each.files)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration of %s: %w", each.name, err)
		}
		specs = append(specs, supervisor.Spec{
			Name:   each.name,
			Args:   append([]string{s.Binaries.Path(each.name)}, each.args...),
			Env:    []string{"PATH=" + s.Binaries.SearchPath(), "HOME=/"},
			Log:    s.Instance.Log(each.name),
			Digest: digest,
		})
	}
	return specs, nil
}

func digestOf(files []string) (string, error) {
	hash := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(hash, "%s %d\n", file, len(content)) // a hash takes everything
		_, _ = hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// clients are the components that reach the API server with a kubeconfig.
var clients = map[string]string{
	build.ControllerManager: pki.ControllerManager,
	build.Scheduler:         pki.Scheduler,
	build.Kubelet:           pki.KubeletClient,
	build.Proxy:             pki.ProxyClient,
	build.CoreDNS:           pki.DNSClient,
}

// kubeconfigs are those of the components and the administrator's, by path.
func (s Settings) kubeconfigs() (map[string][]byte, error) {
	store := pki.NewStore(s.Instance)
	certs := map[string]string{s.Instance.Kubeconfig(): pki.AdminClient}
	for name, cert := range clients {
		certs[s.kubeconfig(name)] = cert
	}
	files := make(map[string][]byte, len(certs))
	for path, cert := range certs {
		content, err := kubeconfig.Encode(kubeconfig.Access{
			Name:   s.Instance.NodeName(),
			Server: s.Instance.Addresses().APIServer(),
			CA:     store.Cert(pki.ClusterCA),
			Cert:   store.Cert(cert),
			Key:    store.Key(cert),
		})
		if err != nil {
			return nil, err
		}
		files[path] = content
	}
	return files, nil
}

func (s Settings) kubeconfig(component string) string {
	return filepath.Join(s.Instance.ConfigDir(), component+".kubeconfig")
}

func (s Settings) config(file string) string { return filepath.Join(s.Instance.ConfigDir(), file) }

func (s Settings) cniDir() string { return s.config("cni") }

func (s Settings) cniConfigPath() string { return filepath.Join(s.cniDir(), "10-node.conflist") }

func (s Settings) podLogDir() string { return filepath.Join(s.Instance.LogDir(), "pods") }

// documents are the components' own configurations, by path.
func (s Settings) documents() (map[string][]byte, error) {
	files := map[string][]byte{
		s.config("containerd.toml"): []byte(s.containerdConfig()),
		s.config("Corefile"):        []byte(s.corefile()),
		s.config("resolv.conf"):     []byte(s.resolvConf()),
		s.cniConfigPath():           []byte(s.cniConfig()),
	}
	for path, content := range map[string]object{
		s.config("kubelet.yaml"):        s.kubeletConfig(),
		s.config("kube-proxy.yaml"):     s.proxyConfig(),
		s.config("kube-scheduler.yaml"): s.schedulerConfig(),
	} {
		encoded, err := yaml.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", path, err)
		}
		files[path] = encoded
	}
	return files, nil
}

// writeFiles leaves a file alone that already says what it should: kube-proxy
// ends when its configuration is written, whatever is written.
func writeFiles(files map[string][]byte) error {
	for path, content := range files {
		if old, err := os.ReadFile(filepath.Clean(path)); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing the configuration of a component: %w", err)
		}
	}
	return nil
}
