// Command probe is what the tests of this module run inside pods. Without
// arguments it reaches the API server by name, as its service account; with
// URLs it reads those as well; with "serve" it answers HTTP on port 8080.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "serve" {
		server := &http.Server{Addr: ":8080", ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(hello)}
		return server.ListenAndServe()
	}
	if err := askAPIServer(ctx); err != nil {
		return err
	}
	for _, url := range args {
		content, err := get(ctx, http.DefaultClient, url, "")
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%s says %s\n", url, content)
	}
	return nil
}

func hello(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "hello from "+name)
}

// askAPIServer proves name resolution, the service's address, the mounted
// token and the mounted authority at once.
func askAPIServer(ctx context.Context) error {
	token, err := os.ReadFile(filepath.Join(serviceAccount, "token"))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(serviceAccount, "ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return errors.New("the mounted authority is no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}}}
	content, err := get(ctx, client, "https://kubernetes.default.svc/version", strings.TrimSpace(string(token)))
	if err != nil {
		return err
	}
	if !strings.Contains(content, "gitVersion") {
		return fmt.Errorf("unexpected answer of the API server: %s", content)
	}
	fmt.Fprintln(os.Stdout, "reached the API server by name")
	return nil
}

func get(ctx context.Context, client *http.Client, url, token string) (content string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return string(body), err
}
