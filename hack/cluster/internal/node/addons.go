package node

import (
	"context"
	"fmt"
	"strings"

	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
)

// addon is an object that the cluster needs and that no component creates.
type addon struct {
	path string
	yaml string
}

// addons let the API server read from the kubelet and the name server from the
// API server, and publish the name server, which is a process of the node, as
// the service that pods ask.
func (c *Cluster) addons() []addon {
	const rbac = "/apis/rbac.authorization.k8s.io/v1"
	addresses := c.Instance.Addresses()
	values := strings.NewReplacer(
		"USER_API_SERVER", pki.UserAPIServer,
		"USER_DNS", pki.UserDNS,
		"DNS_ADDRESS", addresses.DNSService.String(),
		"NODE_ADDRESS", addresses.Node.String(),
		"NODE_NAME", c.Instance.NodeName(),
	)
	list := []addon{
		{rbac + "/clusterrolebindings/schemagate-kubelet-api", `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: schemagate-kubelet-api}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:kubelet-api-admin"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "USER_API_SERVER"}]
`},
		{rbac + "/clusterroles/system:coredns", `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
rules:
- {apiGroups: [""], resources: [services, pods, namespaces], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
`},
		{rbac + "/clusterrolebindings/system:coredns", `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "USER_DNS"}]
`},
		{"/api/v1/namespaces/kube-system/services/kube-dns", `
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: DNS_ADDRESS
  ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
`},
		{"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns", `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {kubernetes.io/service-name: kube-dns, endpointslice.kubernetes.io/managed-by: schemagate-cluster}
addressType: IPv4
ports:
- {name: dns, port: 53, protocol: UDP}
- {name: dns-tcp, port: 53, protocol: TCP}
endpoints:
- {addresses: [NODE_ADDRESS], conditions: {ready: true}, nodeName: NODE_NAME}
`},
	}
	for n := range list {
		list[n].yaml = values.Replace(list[n].yaml)
	}
	return list
}

func (c *Cluster) applyAddons(ctx context.Context) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	for _, each := range c.addons() {
		if err := admin.Apply(ctx, c.Instance.Addresses().APIServer()+each.path, []byte(each.yaml)); err != nil {
			return fmt.Errorf("applying a part of the cluster: %w", err)
		}
	}
	return nil
}
