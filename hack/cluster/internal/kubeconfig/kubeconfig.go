// Package kubeconfig writes and reads kubeconfig files.
package kubeconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Access is all that a kubeconfig written here says.
type Access struct {
	// Name is given to cluster, user and context.
	Name string
	// Server is the URL of the API server.
	Server string
	// CA, Cert and Key are PEM files; their content is copied in.
	CA, Cert, Key string
}

// file mirrors the fields of a v1 kubeconfig that are used here.
type file struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []namedCluster `json:"clusters"`
	Contexts       []namedContext `json:"contexts"`
	Users          []namedUser    `json:"users"`
}

type namedCluster struct {
	Name    string  `json:"name"`
	Cluster cluster `json:"cluster"`
}

type cluster struct {
	Server string `json:"server"`
	CA     []byte `json:"certificate-authority-data,omitempty"`
}

type namedContext struct {
	Name    string      `json:"name"`
	Context contextData `json:"context"`
}

type contextData struct {
	Cluster string `json:"cluster"`
	User    string `json:"user"`
}

type namedUser struct {
	Name string `json:"name"`
	User user   `json:"user"`
}

type user struct {
	Cert []byte `json:"client-certificate-data,omitempty"`
	Key  []byte `json:"client-key-data,omitempty"`
}

// Encode returns the kubeconfig. It contains a private key.
func Encode(access Access) ([]byte, error) {
	content := make([][]byte, 0, 3)
	for _, source := range []string{access.CA, access.Cert, access.Key} {
		each, err := os.ReadFile(filepath.Clean(source))
		if err != nil {
			return nil, fmt.Errorf("reading a certificate for kubeconfig %s: %w", access.Name, err)
		}
		content = append(content, each)
	}
	encoded, err := yaml.Marshal(file{
		APIVersion:     "v1",
		Kind:           "Config",
		CurrentContext: access.Name,
		Clusters:       []namedCluster{{access.Name, cluster{Server: access.Server, CA: content[0]}}},
		Contexts:       []namedContext{{access.Name, contextData{Cluster: access.Name, User: access.Name}}},
		Users:          []namedUser{{access.Name, user{Cert: content[1], Key: content[2]}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding kubeconfig %s: %w", access.Name, err)
	}
	return encoded, nil
}

// ErrNoContext is returned for a kubeconfig without a usable current context.
var ErrNoContext = errors.New("kubeconfig has no current context")

// CurrentServer returns the current context of a kubeconfig and the URL of its
// API server.
func CurrentServer(path string) (contextName, server string, err error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return "", "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	var parsed file
	if err := yaml.Unmarshal(content, &parsed); err != nil {
		return "", "", fmt.Errorf("decoding kubeconfig %s: %w", path, err)
	}
	for _, each := range parsed.Contexts {
		if each.Name != parsed.CurrentContext {
			continue
		}
		for _, candidate := range parsed.Clusters {
			if candidate.Name == each.Context.Cluster {
				return each.Name, candidate.Cluster.Server, nil
			}
		}
	}
	return "", "", fmt.Errorf("%w: %s", ErrNoContext, path)
}
