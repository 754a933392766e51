// Package network connects a node's network namespace to the machine: one pair
// of virtual interfaces, one route. The node has no route beyond the machine,
// so neither it nor its pods talk to anything but this machine.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
)

// nodeLink is the interface inside the node.
const nodeLink = "eth0"

// Taken reports whether the machine has an address or a route in the block,
// apart from a default route.
func Taken(block netip.Prefix) (bool, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return false, fmt.Errorf("listing routes: %w", err)
	}
	return overlaps(routes, block), nil
}

func overlaps(routes []netlink.Route, block netip.Prefix) bool {
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		if prefix, ok := prefixOf(route.Dst); ok && prefix.Bits() > 0 && prefix.Overlaps(block) {
			return true
		}
	}
	return false
}

func prefixOf(network *net.IPNet) (netip.Prefix, bool) {
	address, ok := netip.AddrFromSlice(network.IP)
	ones, _ := network.Mask.Size()
	return netip.PrefixFrom(address.Unmap(), ones), ok
}

// Connected reports whether the machine's end of the connection exists.
func Connected(inst instance.Instance) (bool, error) {
	_, err := netlink.LinkByName(inst.LinkName())
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for interface %s: %w", inst.LinkName(), err)
	}
	return true, nil
}

// Connect gives the node whose first process is pid its interface and
// addresses, and the machine the route to it.
func Connect(inst instance.Instance, pid int) (err error) {
	target, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("opening the node's network: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = inst.LinkName()
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: nodeLink, PeerNamespace: netlink.NsFd(int(target))}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("creating interface %s: %w", inst.LinkName(), err)
	}
	if err := configureMachine(inst); err != nil {
		return err
	}
	node, err := netlink.NewHandleAt(target)
	if err != nil {
		return fmt.Errorf("opening the node's network: %w", err)
	}
	defer node.Close()
	return configureNode(inst, node)
}

func configureMachine(inst instance.Instance) error {
	addresses := inst.Addresses()
	link, err := netlink.LinkByName(inst.LinkName())
	if err != nil {
		return fmt.Errorf("looking for interface %s: %w", inst.LinkName(), err)
	}
	if err := netlink.AddrAdd(link, address(addresses.Host, addresses.Link.Bits())); err != nil {
		return fmt.Errorf("setting the address of interface %s: %w", inst.LinkName(), err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("enabling interface %s: %w", inst.LinkName(), err)
	}
	route := &netlink.Route{
		LinkIndex: link.Attrs().Index,
		Dst:       network(addresses.Block),
		Gw:        addresses.Node.AsSlice(),
		Src:       addresses.Host.AsSlice(),
	}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("adding the route to %s: %w", addresses.Block, err)
	}
	return nil
}

func configureNode(inst instance.Instance, node *netlink.Handle) error {
	addresses := inst.Addresses()
	loopback, err := node.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("looking for the node's loopback interface: %w", err)
	}
	link, err := node.LinkByName(nodeLink)
	if err != nil {
		return fmt.Errorf("looking for the node's interface: %w", err)
	}
	if err := node.AddrAdd(link, address(addresses.Node, addresses.Link.Bits())); err != nil {
		return fmt.Errorf("setting the node's address: %w", err)
	}
	for _, each := range []netlink.Link{loopback, link} {
		if err := node.LinkSetUp(each); err != nil {
			return fmt.Errorf("enabling the node's interface %s: %w", each.Attrs().Name, err)
		}
	}
	return nil
}

// Disconnect removes the machine's end; the other end and the route go with it.
func Disconnect(inst instance.Instance) error {
	link, err := netlink.LinkByName(inst.LinkName())
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for interface %s: %w", inst.LinkName(), err)
	}
	// The kernel may be removing it already, with the namespace of its peer.
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing interface %s: %w", inst.LinkName(), err)
	}
	return nil
}

func address(addr netip.Addr, bits int) *netlink.Addr {
	return &netlink.Addr{IPNet: network(netip.PrefixFrom(addr, bits))}
}

func network(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
