package connection_test

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/dburl"
)

// TestFilesOfAURL: the flags for files are looked at as the parameters of a URL
// are, also in what follows from them.
func TestFilesOfAURL(t *testing.T) {
	t.Parallel()
	const url = "--database-url=postgres://u@db/webui"
	for name, tt := range map[string]struct {
		args []string
		want dburl.TLS // zero: refused
	}{
		"an authority":           {[]string{url, "--sslrootcert=/ca"}, dburl.TLS{Mode: "prefer", RootCert: "/ca"}},
		"the system's":           {[]string{url, "--sslrootcert=system"}, dburl.TLS{Mode: "verify-full", RootCert: "system"}},
		"the system's, but weak": {[]string{url + "?sslmode=require", "--sslrootcert=system"}, dburl.TLS{}},
		"a certificate, no key":  {[]string{url, "--sslcert=/c"}, dburl.TLS{}},
		"both":                   {[]string{url + "?sslmode=require", "--sslcert=/c", "--sslkey=/k"}, dburl.TLS{Mode: "require", Cert: "/c", Key: "/k"}},
	} {
		cmd := &cobra.Command{}
		var flags connection.Flags
		flags.Add(cmd)
		if err := cmd.ParseFlags(tt.args); err != nil {
			t.Fatal(err)
		}
		d, err := flags.Database()
		if (err != nil) != (tt.want == dburl.TLS{}) || d.TLS != tt.want {
			t.Errorf("%s: %+v, %v", name, d.TLS, err)
		}
	}
}
