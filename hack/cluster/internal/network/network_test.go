package network

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestOverlaps(t *testing.T) {
	t.Parallel()
	block := netip.MustParsePrefix("10.88.0.0/16")
	for name, test := range map[string]struct {
		route string
		want  bool
	}{
		"no destination": {route: "", want: false},
		"default route":  {route: "0.0.0.0/0", want: false},
		"elsewhere":      {route: "10.89.0.0/16", want: false},
		"the same":       {route: "10.88.0.0/16", want: true},
		"around it":      {route: "10.0.0.0/8", want: true},
		"inside it":      {route: "10.88.7.0/24", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var route netlink.Route
			if test.route != "" {
				_, destination, err := net.ParseCIDR(test.route)
				if err != nil {
					t.Fatal(err)
				}
				route.Dst = destination
			}
			if got := overlaps([]netlink.Route{route}, block); got != test.want {
				t.Errorf("overlaps = %t, want %t", got, test.want)
			}
		})
	}
}
