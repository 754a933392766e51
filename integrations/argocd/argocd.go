// Package argocd holds what Argo CD needs to know about a DatabaseSchema. The
// scripts are laid out as in Argo CD's own repository; ConfigMap packs them for an
// Argo CD that does not bring them.
package argocd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:generate go run ./generate resource_customizations argocd-cm.yaml

// key is what Argo CD calls the kind in the names of its settings.
const key = "schemagate.dev_DatabaseSchema"

const header = "# Generated from resource_customizations by go generate. Do not edit.\n"

// definitions is a value of resource.customizations.actions.
type definitions struct {
	Discovery   string       `json:"discovery.lua"`
	Definitions []definition `json:"definitions"`
}

type definition struct {
	Name   string `json:"name"`
	Action string `json:"action.lua"`
}

// ConfigMap returns argocd-cm with the scripts of a directory, and nothing else.
func ConfigMap(directory string) ([]byte, error) {
	scripts := filepath.Join(directory, filepath.FromSlash(strings.Replace(key, "_", "/", 1)))
	health, err := os.ReadFile(filepath.Join(scripts, "health.lua"))
	if err != nil {
		return nil, err
	}
	discovery, err := os.ReadFile(filepath.Join(scripts, "actions", "discovery.lua"))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(scripts, "actions", "*", "action.lua"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no actions", scripts)
	}
	slices.Sort(files)
	actions := definitions{Discovery: string(discovery)}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		actions.Definitions = append(actions.Definitions, definition{Name: filepath.Base(filepath.Dir(file)), Action: string(content)})
	}
	value, err := yaml.Marshal(actions)
	if err != nil {
		return nil, err
	}
	object, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata": map[string]any{
			"name": "argocd-cm", "namespace": "argocd",
			"labels": map[string]any{"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"},
		},
		"data": map[string]any{
			"resource.customizations.health." + key:  string(health),
			"resource.customizations.actions." + key: string(value),
		},
	})
	if err != nil {
		return nil, err
	}
	return append([]byte(header), object...), nil
}
