package kubeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEncode(t *testing.T) {
	t.Parallel()
	encoded, err := Encode(Access{
		Name: "a", Server: "https://10.88.255.2:6443", CA: write(t, "ca"), Cert: write(t, "cert"), Key: write(t, "key"),
	})
	if err != nil {
		t.Fatal(err)
	}
	// The contents are base64 of ca, cert and key.
	for _, want := range []string{
		"certificate-authority-data: Y2E=", "client-certificate-data: Y2VydA==", "client-key-data: a2V5", "current-context: a",
	} {
		if !strings.Contains(string(encoded), want) {
			t.Errorf("the kubeconfig lacks %q:\n%s", want, encoded)
		}
	}
	name, server, err := CurrentServer(write(t, string(encoded)))
	if err != nil || name != "a" || server != "https://10.88.255.2:6443" {
		t.Errorf("CurrentServer = %q, %q, %v", name, server, err)
	}
	if _, err := Encode(Access{CA: "/nowhere"}); err == nil {
		t.Error("Encode without an authority returned no error")
	}
}

func TestCurrentServer(t *testing.T) {
	t.Parallel()
	const clusters = `
clusters: [{name: one, cluster: {server: "https://one"}}, {name: two, cluster: {server: "https://two"}}]
contexts: [{name: first, context: {cluster: one}}, {name: second, context: {cluster: two}}, {name: broken, context: {cluster: none}}]
`
	for name, test := range map[string]struct {
		current, server string
		err             error
	}{
		"second":       {current: "second", server: "https://two"},
		"no context":   {current: "", err: ErrNoContext},
		"no cluster":   {current: "broken", err: ErrNoContext},
		"no such name": {current: "third", err: ErrNoContext},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, server, err := CurrentServer(write(t, clusters+"current-context: "+test.current))
			if server != test.server || !errors.Is(err, test.err) {
				t.Errorf("CurrentServer = %q, %v, want %q, %v", server, err, test.server, test.err)
			}
		})
	}
}
