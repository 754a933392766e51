// Package pki makes the keys and certificates of one cluster. Each purpose has
// an authority of its own: a certificate that opens the API server opens
// neither etcd nor the aggregation layer.
package pki

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
)

// The authorities, by file name.
const (
	ClusterCA    = "ca"
	EtcdCA       = "etcd-ca"
	FrontProxyCA = "front-proxy-ca"
)

// The certificates, by file name.
const (
	APIServer              = "kube-apiserver"
	APIServerKubeletClient = "kube-apiserver-kubelet-client"
	APIServerEtcdClient    = "kube-apiserver-etcd-client"
	Etcd                   = "etcd"
	FrontProxyClient       = "front-proxy-client"
	Kubelet                = "kubelet"
	KubeletClient          = "kubelet-client"
	ControllerManager      = "kube-controller-manager"
	Scheduler              = "kube-scheduler"
	ProxyClient            = "kube-proxy-client"
	DNSClient              = "coredns-client"
	AdminClient            = "admin-client"
)

// ServiceAccount is the key that signs service account tokens; there are no
// certificates for it.
const ServiceAccount = "service-account"

// Names that RBAC knows the clients by.
const (
	UserAPIServer = "kube-apiserver-kubelet-client"
	UserDNS       = "system:coredns"
)

// A cluster for tests outlives neither of these.
const (
	validity  = 365 * 24 * time.Hour
	renewWhen = 30 * 24 * time.Hour
)

// request describes one certificate.
type request struct {
	name      string
	authority string
	user      string
	groups    []string
	// hosts are the names and addresses of a server; without any the
	// certificate is for clients only.
	hosts []string
	// client says that a server's certificate also identifies it as a client.
	client bool
}

func requests(inst instance.Instance) []request {
	addresses, node := inst.Addresses(), inst.NodeName()
	local := []string{"localhost", "127.0.0.1", addresses.Node.String(), node}
	api := append([]string{
		addresses.KubernetesService.String(),
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}, local...)
	return []request{
		{name: APIServer, authority: ClusterCA, user: "kube-apiserver", hosts: api},
		{name: APIServerKubeletClient, authority: ClusterCA, user: UserAPIServer},
		{name: APIServerEtcdClient, authority: EtcdCA, user: "kube-apiserver-etcd-client"},
		// One certificate for clients and peers: the only member is its own peer.
		{name: Etcd, authority: EtcdCA, user: "etcd", hosts: local, client: true},
		{name: FrontProxyClient, authority: FrontProxyCA, user: "front-proxy-client"},
		{name: Kubelet, authority: ClusterCA, user: "system:node:" + node, groups: []string{"system:nodes"}, hosts: local},
		{name: KubeletClient, authority: ClusterCA, user: "system:node:" + node, groups: []string{"system:nodes"}},
		{name: ControllerManager, authority: ClusterCA, user: "system:kube-controller-manager", hosts: local, client: true},
		{name: Scheduler, authority: ClusterCA, user: "system:kube-scheduler", hosts: local, client: true},
		{name: ProxyClient, authority: ClusterCA, user: "system:kube-proxy"},
		{name: DNSClient, authority: ClusterCA, user: UserDNS},
		{name: AdminClient, authority: ClusterCA, user: "schemagate-admin", groups: []string{"system:masters"}},
	}
}

// Store is the directory of one cluster's keys and certificates.
type Store struct {
	dir string
}

// NewStore returns the store of the instance; it may be empty.
func NewStore(inst instance.Instance) Store { return Store{dir: inst.PKIDir()} }

// Cert is the path of a certificate.
func (s Store) Cert(name string) string { return filepath.Join(s.dir, name+".crt") }

// Key is the path of a private key.
func (s Store) Key(name string) string { return filepath.Join(s.dir, name+".key") }

// PublicKey is the path of the key that verifies service account tokens.
func (s Store) PublicKey() string { return filepath.Join(s.dir, ServiceAccount+".pub") }

// Files are the certificate and key of each name.
func (s Store) Files(names ...string) []string {
	files := make([]string, 0, 2*len(names))
	for _, name := range names {
		files = append(files, s.Cert(name), s.Key(name))
	}
	return files
}

// Ensure makes what is missing, does not fit the instance's addresses any more
// or expires within 30 days, and keeps the rest.
func (s Store) Ensure(inst instance.Instance) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("creating the directory of certificates: %w", err)
	}
	authorities := make(map[string]pair)
	for _, name := range []string{ClusterCA, EtcdCA, FrontProxyCA} {
		authority, err := s.ensureAuthority(name, inst.Name)
		if err != nil {
			return err
		}
		authorities[name] = authority
	}
	for _, request := range requests(inst) {
		if err := s.ensureCertificate(request, authorities[request.authority]); err != nil {
			return err
		}
	}
	return s.ensureServiceAccountKey()
}
