package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/components"
)

// probe returns nil when the thing it asks about works.
type probe func(context.Context) error

// errNotYet is what a probe returns about something that still has to happen.
var errNotYet = errors.New("not yet")

// probeTimeout bounds one question; a stopped process never answers.
const probeTimeout = 3 * time.Second

// probes asks each component whether it is well, by name.
func (c *Cluster) probes() (map[string]probe, error) {
	admin, err := c.admin()
	if err != nil {
		return nil, err
	}
	etcd, err := c.etcd()
	if err != nil {
		return nil, err
	}
	node := c.Instance.Addresses().Node.String()
	secure := func(port, path string) probe {
		return func(ctx context.Context) error { return admin.Get(ctx, "https://"+node+":"+port+path, nil) }
	}
	return map[string]probe{
		build.Etcd: func(ctx context.Context) error {
			return etcd.Get(ctx, "https://"+node+":"+components.PortEtcd+"/health", nil)
		},
		build.APIServer:         secure(components.PortAPIServer, "/readyz"),
		build.ControllerManager: secure(components.PortControllerManager, "/healthz"),
		build.Scheduler:         secure(components.PortScheduler, "/readyz"),
		build.Kubelet:           secure(components.PortKubelet, "/healthz"),
		build.Proxy:             plain("http://" + node + ":" + components.PortProxyHealth + "/healthz"),
		build.CoreDNS:           plain("http://" + node + ":" + components.PortDNSReady + "/ready"),
		build.Containerd:        c.containerdAnswers,
	}, nil
}

// plain asks over HTTP, past any proxy of the environment.
func plain(url string) probe {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) (err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, response.Body.Close()) }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, response.Status)
		}
		return nil
	}
}

// containerdAnswers connects only: containerd listens when its services are
// there, and the kubelet's health says whether they work.
func (c *Cluster) containerdAnswers(ctx context.Context) error {
	connection, err := new(net.Dialer).DialContext(ctx, "unix", c.Instance.ContainerdSocket())
	if err != nil {
		return err
	}
	return connection.Close()
}

// nodeReady asks whether pods can be placed: the node is ready, and what keeps
// pods off a node that is not has been removed from it.
func (c *Cluster) nodeReady(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := admin.Get(ctx, c.Instance.Addresses().APIServer()+"/api/v1/nodes/"+c.Instance.NodeName(), &node); err != nil {
		return err
	}
	ready := fmt.Errorf("%w: the node has no condition Ready", errNotYet)
	for _, condition := range node.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		ready = nil
		if condition.Status != "True" {
			ready = fmt.Errorf("%w: the node is not ready: %s", errNotYet, condition.Message)
		}
	}
	for _, taint := range node.Spec.Taints {
		if ready == nil {
			ready = fmt.Errorf("%w: the node is tainted %s", errNotYet, taint.Key)
		}
	}
	return ready
}

// namespaceReady asks for what every pod in the namespace default mounts.
func (c *Cluster) namespaceReady(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	namespace := c.Instance.Addresses().APIServer() + "/api/v1/namespaces/default"
	if err := admin.Get(ctx, namespace+"/serviceaccounts/default", nil); err != nil {
		return err
	}
	return admin.Get(ctx, namespace+"/configmaps/kube-root-ca.crt", nil)
}

// nameResolves asks for the API server's name at the address that pods ask.
// The answer has gone through the translation of service addresses as well.
func (c *Cluster) nameResolves(ctx context.Context) error {
	server := net.JoinHostPort(c.Instance.Addresses().DNSService.String(), "53")
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server)
	}}
	// The translation may not be there yet; the next question finds it.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	found, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	if err != nil {
		return err
	}
	if wanted := c.Instance.Addresses().KubernetesService.String(); len(found) != 1 || found[0] != wanted {
		return fmt.Errorf("the API server's name resolves to %v instead of %s", found, wanted)
	}
	return nil
}
