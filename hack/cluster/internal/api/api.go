// Package api talks to an instance's components over HTTPS as its
// administrator. It is a fraction of client-go, which would make the first
// start of this program take a minute longer to compile.
package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 20

// ErrNotFound is returned when the asked object does not exist.
var ErrNotFound = errors.New("not found")

// Client is safe for concurrent use.
type Client struct {
	http *http.Client
}

// New returns a client that trusts the authority and identifies itself by the
// certificate, all of them PEM files.
func New(ca, cert, key string) (*Client, error) {
	authority, err := os.ReadFile(filepath.Clean(ca))
	if err != nil {
		return nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	identity, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("reading the client's certificate: %w", err)
	}
	// No proxy, whatever the environment says: the addresses are this machine's.
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:   tls.VersionTLS13,
		RootCAs:      roots,
		Certificates: []tls.Certificate{identity},
	}}
	return &Client{http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// Get decodes the JSON at the URL into result, which may be nil. It returns
// ErrNotFound when there is nothing.
func (c *Client) Get(ctx context.Context, url string, result any) error {
	return c.do(ctx, http.MethodGet, url, "", nil, result)
}

// Apply applies an object, in YAML, by server-side apply.
func (c *Client) Apply(ctx context.Context, url string, object []byte) error {
	return c.do(ctx, http.MethodPatch, url+"?fieldManager=schemagate-cluster&force=true",
		"application/apply-patch+yaml", object, nil)
}

func (c *Client) do(ctx context.Context, method, url, contentType string, body []byte, result any) (err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building a request: %w", err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	switch {
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: %w", url, ErrNotFound)
	case response.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(content)))
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(content, result); err != nil {
		return fmt.Errorf("decoding the answer of %s: %w", url, err)
	}
	return nil
}
