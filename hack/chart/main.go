// Chart takes over into the Helm chart what config/ says already: the resource
// definition, the admission policies, the rules of the roles, and the alerts. The
// chart's templates put them where its values want them.
//
//	chart ../../config ../../charts/schemagate/files
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generating the chart's files:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two arguments, the directory config and the one to write to, got %d", len(args))
	}
	files := map[string][]byte{}
	for _, collect := range []func(config string, files map[string][]byte) error{
		definition, policies, roles, alerts,
	} {
		if err := collect(args[0], files); err != nil {
			return err
		}
	}
	return write(args[1], files)
}

// definition takes the resource definition as it is.
func definition(config string, files map[string][]byte) error {
	const source = "crd/schemagate.dev_databaseschemas.yaml"
	documents, err := read(config, source)
	if err != nil {
		return err
	}
	if len(documents) != 1 {
		return fmt.Errorf("config/%s holds %d documents, want one", source, len(documents))
	}
	files["crd.yaml"] = with(source, documents[0])
	return nil
}

// policies takes each admission policy and each binding into a file of its own,
// because a template can leave out a file, and parse only one document of it.
func policies(config string, files map[string][]byte) error {
	return each(config, "admission", func(source string, document []byte, object object) error {
		if strings.HasSuffix(object.Kind, "Policy") {
			files["admission/"+object.Metadata.Name+".yaml"] = with(source, document)
			return nil
		}
		if strings.HasSuffix(object.Kind, "PolicyBinding") {
			files["admission/"+object.Metadata.Name+"-binding.yaml"] = with(source, document)
			return nil
		}
		return fmt.Errorf("config/%s: neither a policy nor a binding, but a %s", source, object.Kind)
	})
}

// role is what the chart needs of a role: it has names and accounts of its own.
type role struct {
	Labels map[string]string `json:"labels,omitempty"`
	Rules  []any             `json:"rules"`
}

func roles(config string, files map[string][]byte) error {
	for _, directory := range []string{"rbac", "rbac/role"} {
		err := each(config, directory, func(source string, _ []byte, object object) error {
			if object.Kind != "Role" && object.Kind != "ClusterRole" {
				return nil
			}
			name, ok := strings.CutPrefix(object.Metadata.Name, "schemagate-")
			if !ok {
				return fmt.Errorf("config/%s: the %s %s is not named schemagate-…", source, object.Kind, object.Metadata.Name)
			}
			content, err := yaml.Marshal(role{Labels: object.Metadata.Labels, Rules: object.Rules})
			if err != nil {
				return err
			}
			files["rbac/"+name+".yaml"] = with(source, content)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// alerts takes the alerts as they are.
func alerts(config string, files map[string][]byte) error {
	const source = "components/prometheus/rules.yaml"
	documents, err := read(config, source)
	if err != nil {
		return err
	}
	files["rules.yaml"] = with(source, bytes.Join(documents, []byte("---\n")))
	return nil
}

type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Rules []any `json:"rules"`
}

// each calls take for every object of the manifests in a directory.
func each(config, directory string, take func(source string, document []byte, object object) error) error {
	paths, err := filepath.Glob(filepath.Join(config, directory, "*.yaml"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("config/%s holds no manifests", directory)
	}
	for _, file := range paths {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		source := directory + "/" + filepath.Base(file)
		documents, err := read(config, source)
		if err != nil {
			return err
		}
		for _, document := range documents {
			var found object
			if err := yaml.Unmarshal(document, &found); err != nil {
				return fmt.Errorf("config/%s: %w", source, err)
			}
			if err := take(source, document, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// read returns the documents of a file, without those that are empty.
func read(config, source string) ([][]byte, error) {
	content, err := fs.ReadFile(os.DirFS(config), source)
	if err != nil {
		return nil, err
	}
	var documents [][]byte
	for document := range bytes.SplitSeq(append([]byte("\n"), content...), []byte("\n---\n")) {
		if document = bytes.TrimLeft(document, "\n"); len(document) > 0 {
			documents = append(documents, append(bytes.TrimRight(document, "\n"), '\n'))
		}
	}
	return documents, nil
}

// with puts a header before a document that says where it comes from.
func with(source string, document []byte) []byte {
	for bytes.HasPrefix(document, []byte("# Generated ")) {
		_, document, _ = bytes.Cut(document, []byte("\n"))
	}
	return append(fmt.Appendf(nil, "# Generated from config/%s by make generate. Do not edit.\n", source), document...)
}

// write makes the directory hold these files and no others.
func write(directory string, files map[string][]byte) (err error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := root.RemoveAll(entry.Name()); err != nil {
			return err
		}
	}
	for name, content := range files {
		// The chart is public, like the sources beside it.
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
