package instance

import (
	"fmt"
	"net/netip"
)

// Slots is how many instances one machine can have at once.
const Slots = 32

// firstBlock is the second octet of slot 0.
const firstBlock = 88

// Addresses are those of one instance. All of them lie in one /16, so that
// one route on the machine leads to the node, its pods and its services.
type Addresses struct {
	// Block contains all the others.
	Block netip.Prefix
	// Pods is the range that pods get their addresses from.
	Pods netip.Prefix
	// PodGateway is the node as pods see it.
	PodGateway netip.Addr
	// Services is the range of the cluster IPs.
	Services netip.Prefix
	// KubernetesService is the cluster IP of default/kubernetes.
	KubernetesService netip.Addr
	// DNSService is the cluster IP of kube-system/kube-dns.
	DNSService netip.Addr
	// Link is the network between the machine and the node.
	Link netip.Prefix
	// Host is the machine: a database that listens on it is reachable from
	// pods and from the node.
	Host netip.Addr
	// Node is the node: the API server and node ports are reached there.
	Node netip.Addr
}

// Addresses of the instance, decided by its slot alone.
func (i Instance) Addresses() Addresses { return addressesOf(i.Slot) }

func addressesOf(slot int) Addresses {
	// Reserve keeps the slot below Slots, so the octet fits.
	octet := byte(firstBlock + slot%Slots)
	at := func(third, fourth byte) netip.Addr { return netip.AddrFrom4([4]byte{10, octet, third, fourth}) }
	return Addresses{
		Block:             netip.PrefixFrom(at(0, 0), 16),
		Pods:              netip.PrefixFrom(at(0, 0), 17),
		PodGateway:        at(0, 1),
		Services:          netip.PrefixFrom(at(128, 0), 18),
		KubernetesService: at(128, 1),
		DNSService:        at(128, 10),
		Link:              netip.PrefixFrom(at(255, 0), 30),
		Host:              at(255, 1),
		Node:              at(255, 2),
	}
}

// APIServer is the URL of the API server.
func (a Addresses) APIServer() string { return fmt.Sprintf("https://%s:6443", a.Node) }
