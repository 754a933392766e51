package kubectl

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestExplain: what another try may mend is transient, whatever has wrapped it.
func TestExplain(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, tc := range map[string]struct {
		err  error
		code int
	}{
		"refused":         {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), result.ExitTransient},
		"reset":           {&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, result.ExitTransient},
		"no such host":    {dial(&net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}), result.ExitTransient},
		"name server":     {&net.DNSError{Err: "server misbehaving", Name: "api.example.com", IsTemporary: true}, result.ExitTransient},
		"no route":        {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), result.ExitTransient},
		"unreachable":     {dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), result.ExitTransient},
		"broken off":      {io.ErrUnexpectedEOF, result.ExitTransient},
		"busy":            {apierrors.NewTooManyRequests("later", 1), result.ExitTransient},
		"deadline":        {context.DeadlineExceeded, result.ExitTransient},
		"authority":       {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, result.ExitPermanent},
		"hostname":        {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "api.example.com"}, result.ExitPermanent},
		"expired":         {x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, result.ExitPermanent},
		"own certificate": {&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, result.ExitPermanent},
		"behind a proxy":  {&net.OpError{Op: "proxyconnect", Net: "tcp", Err: x509.UnknownAuthorityError{}}, result.ExitPermanent},
		"forbidden":       {apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "a", errors.New("no")), result.ExitPermanent},
		"usage":           {exit.Usage(errors.New("no")), result.ExitUsage},
	} {
		err := fmt.Errorf("reading: %w", &url.Error{Op: "Get", URL: "https://api.example.com", Err: tc.err})
		if code := exit.Code(explain(err)); code != tc.code {
			t.Errorf("%s: the code is %d, want %d", name, code, tc.code)
		}
	}
}

// TestExplainHandshakes: those of net/http itself, whose types have no names.
func TestExplainHandshakes(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it says of whom it was refused
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for address, want := range map[string]int{
		stranger.URL:                        result.ExitPermanent,
		"https://" + silent.Addr().String(): result.ExitTransient,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Transport: &http.Transport{TLSHandshakeTimeout: time.Second}}
		response, err := c.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if code := exit.Code(explain(err)); code != want {
			t.Errorf("%s: the code is %d, want %d: %v", address, code, want, err)
		}
	}
}

// TestNameAcrossNamespaces: -A is not ignored where there is a name.
func TestNameAcrossNamespaces(t *testing.T) {
	t.Parallel()
	for _, newCmd := range []func(*session) *cobra.Command{newStatusCmd, newHistoryCmd} {
		s := newTestSession()
		s.client = &stub{schema: newView(t).schema}
		cmd := newCmd(s)
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs([]string{"open-webui", "-A"})
		if code := exit.Code(cmd.Execute()); code != result.ExitUsage {
			t.Errorf("%s ends with %d:\n%s", cmd.Name(), code, out.String())
		}
	}
}
