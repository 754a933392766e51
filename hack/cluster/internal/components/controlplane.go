package components

import (
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
)

// etcdClientURL is used inside the node.
const etcdClientURL = "https://127.0.0.1:2379"

// etcdPeerURL has no peer to serve, but etcd insists on one.
const etcdPeerURL = "https://127.0.0.1:2380"

// Ports of the components on the node's address.
const (
	PortEtcd              = "2379"
	PortAPIServer         = "6443"
	PortControllerManager = "10257"
	PortScheduler         = "10259"
	PortKubelet           = "10250"
	PortProxyHealth       = "10256"
	PortDNSReady          = "8181"
)

// clientRate is how many requests a second a component may send. The defaults
// suit a large cluster; here they would delay the start by seconds.
const (
	clientRate  = 300
	clientBurst = 600
)

func (s Settings) etcd() component {
	store, node := pki.NewStore(s.Instance), s.Instance.Addresses().Node.String()
	return component{
		name: build.Etcd,
		args: []string{
			"--name=" + s.Instance.NodeName(),
			"--data-dir=" + s.Instance.DataDir(build.Etcd),
			"--listen-client-urls=" + etcdClientURL + ",https://" + node + ":" + PortEtcd,
			"--advertise-client-urls=" + etcdClientURL,
			"--listen-peer-urls=" + etcdPeerURL,
			"--initial-advertise-peer-urls=" + etcdPeerURL,
			"--initial-cluster=" + s.Instance.NodeName() + "=" + etcdPeerURL,
			"--client-cert-auth",
			"--trusted-ca-file=" + store.Cert(pki.EtcdCA),
			"--cert-file=" + store.Cert(pki.Etcd),
			"--key-file=" + store.Key(pki.Etcd),
			"--peer-client-cert-auth",
			"--peer-trusted-ca-file=" + store.Cert(pki.EtcdCA),
			"--peer-cert-file=" + store.Cert(pki.Etcd),
			"--peer-key-file=" + store.Key(pki.Etcd),
			// Data need to survive a process, not a power failure; on a slow
			// disk this is the difference between seconds and minutes.
			"--unsafe-no-fsync",
		},
		files: store.Files(pki.EtcdCA, pki.Etcd),
	}
}

func (s Settings) apiServer() component {
	store, addresses := pki.NewStore(s.Instance), s.Instance.Addresses()
	return component{
		name: build.APIServer,
		args: []string{
			"--advertise-address=" + addresses.Node.String(),
			"--secure-port=" + PortAPIServer,
			"--service-cluster-ip-range=" + addresses.Services.String(),
			"--etcd-servers=" + etcdClientURL,
			"--etcd-cafile=" + store.Cert(pki.EtcdCA),
			"--etcd-certfile=" + store.Cert(pki.APIServerEtcdClient),
			"--etcd-keyfile=" + store.Key(pki.APIServerEtcdClient),
			"--tls-cert-file=" + store.Cert(pki.APIServer),
			"--tls-private-key-file=" + store.Key(pki.APIServer),
			"--client-ca-file=" + store.Cert(pki.ClusterCA),
			"--anonymous-auth=false",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--kubelet-certificate-authority=" + store.Cert(pki.ClusterCA),
			"--kubelet-client-certificate=" + store.Cert(pki.APIServerKubeletClient),
			"--kubelet-client-key=" + store.Key(pki.APIServerKubeletClient),
			// The node's name means nothing to a resolver.
			"--kubelet-preferred-address-types=InternalIP",
			"--requestheader-client-ca-file=" + store.Cert(pki.FrontProxyCA),
			"--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + store.Cert(pki.FrontProxyClient),
			"--proxy-client-key-file=" + store.Key(pki.FrontProxyClient),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + store.PublicKey(),
			"--service-account-signing-key-file=" + store.Key(pki.ServiceAccount),
			"--profiling=false",
		},
		files: append(
			store.Files(pki.ClusterCA, pki.EtcdCA, pki.FrontProxyCA, pki.APIServer,
				pki.APIServerEtcdClient, pki.APIServerKubeletClient, pki.FrontProxyClient),
			store.PublicKey()),
	}
}

func (s Settings) controllerManager() component {
	store := pki.NewStore(s.Instance)
	return component{
		name: build.ControllerManager,
		args: append(s.delegated(build.ControllerManager, pki.ControllerManager),
			"--cluster-name="+s.Instance.NodeName(),
			"--cluster-signing-cert-file="+store.Cert(pki.ClusterCA),
			"--cluster-signing-key-file="+store.Key(pki.ClusterCA),
			"--root-ca-file="+store.Cert(pki.ClusterCA),
			"--service-account-private-key-file="+store.Key(pki.ServiceAccount),
			"--use-service-account-credentials",
			"--kubeconfig="+s.kubeconfig(build.ControllerManager),
			"--leader-elect=false",
			"--kube-api-qps="+strconv.Itoa(clientRate),
			"--kube-api-burst="+strconv.Itoa(clientBurst),
			// The default is a directory of the machine, which would be created.
			"--flex-volume-plugin-dir=/run/flex-volumes",
		),
		files: append(store.Files(pki.ClusterCA, pki.FrontProxyCA, pki.ControllerManager), s.kubeconfig(build.ControllerManager)),
	}
}

func (s Settings) scheduler() component {
	return component{
		name: build.Scheduler,
		args: append(s.delegated(build.Scheduler, pki.Scheduler), "--config="+s.config("kube-scheduler.yaml")),
		files: append(pki.NewStore(s.Instance).Files(pki.ClusterCA, pki.FrontProxyCA, pki.Scheduler),
			s.kubeconfig(build.Scheduler), s.config("kube-scheduler.yaml")),
	}
}

func (s Settings) schedulerConfig() object {
	return object{
		"apiVersion":       "kubescheduler.config.k8s.io/v1",
		"kind":             "KubeSchedulerConfiguration",
		"clientConnection": s.connection(build.Scheduler),
		"leaderElection":   object{"leaderElect": false},
	}
}

// connection is how a component with a configuration document reaches the API
// server.
func (s Settings) connection(component string) object {
	return object{"kubeconfig": s.kubeconfig(component), "qps": clientRate, "burst": clientBurst}
}

// delegated are the arguments of the two components that serve metrics and
// health, and ask the API server who may read them.
func (s Settings) delegated(name, cert string) []string {
	store, access := pki.NewStore(s.Instance), s.kubeconfig(name)
	return []string{
		"--authentication-kubeconfig=" + access,
		"--authorization-kubeconfig=" + access,
		"--client-ca-file=" + store.Cert(pki.ClusterCA),
		"--requestheader-client-ca-file=" + store.Cert(pki.FrontProxyCA),
		"--requestheader-allowed-names=front-proxy-client",
		"--tls-cert-file=" + store.Cert(cert),
		"--tls-private-key-file=" + store.Key(cert),
		"--bind-address=" + s.Instance.Addresses().Node.String(),
		"--profiling=false",
	}
}

func (s Settings) dns() component {
	return component{
		name:  build.CoreDNS,
		args:  []string{"-conf", s.config("Corefile")},
		files: []string{s.config("Corefile"), s.kubeconfig(build.CoreDNS)},
	}
}

// corefile answers for the cluster alone: no name outside it is resolved, and
// no query leaves the node.
func (s Settings) corefile() string {
	return strings.NewReplacer(
		"NODE", s.Instance.Addresses().Node.String(),
		"READY", PortDNSReady,
		"KUBECONFIG", s.kubeconfig(build.CoreDNS),
	).Replace(`.:53 {
    errors
    health NODE:8080
    ready NODE:READY
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG
        pods insecure
        ttl 5
    }
}
`)
}

// resolvConf is what pods with the dnsPolicy Default get.
func (s Settings) resolvConf() string {
	return "nameserver " + s.Instance.Addresses().Node.String() + "\n"
}
