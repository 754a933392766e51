package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// manifests renders what can be applied without a checkout, with the image by
// version and digest.
func (r *release) manifests(ctx context.Context) error {
	digest, err := r.digest()
	if err != nil {
		return err
	}
	for file, directory := range map[string]string{
		"install.yaml":                       "config/default",
		"install-without-mutating.yaml":      "config/without-mutating",
		"install-namespaced-open-webui.yaml": "config/namespaced",
		"crd.yaml":                           "config/crd",
	} {
		text, err := r.output(ctx, "hack/tool", "kustomize", "build", directory)
		if err != nil {
			return err
		}
		if directory != "config/crd" {
			if text, err = replaceOnce(text, developmentImage, []byte("image: "+imageName+":"+r.version+"@"+digest)); err != nil {
				return fmt.Errorf("%s: %w", directory, err)
			}
		}
		if err := r.write(file, []byte(text+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// developmentImage is what config/manager names.
var developmentImage = regexp.MustCompile(`image: schemagate:dev\b`)

func replaceOnce(text string, what *regexp.Regexp, with []byte) (string, error) {
	if n := len(what.FindAllString(text, -1)); n != 1 {
		return "", fmt.Errorf("%q is there %d times, want once", what, n)
	}
	return string(what.ReplaceAllLiteral([]byte(text), with)), nil
}

// charts are those of charts/.
var charts = []string{name, name + "-gate"}

// Lines of Chart.yaml that say the version.
var (
	chartVersion    = regexp.MustCompile(`(?m)^version: .*$`)
	chartAppVersion = regexp.MustCompile(`(?m)^appVersion: .*$`)
	chartImage      = regexp.MustCompile(`image: ghcr\.io/schemagate/schemagate:v\S+`)
)

// packCharts packs the charts as "helm package" does, with the version of the
// release.
func (r *release) packCharts(context.Context) error {
	for _, chart := range charts {
		entries, err := r.chart(chart)
		if err != nil {
			return fmt.Errorf("the chart %s: %w", chart, err)
		}
		if err := r.pack(r.chartArchive(chart), entries); err != nil {
			return err
		}
	}
	return nil
}

// chart returns the files of a chart, without those that its .helmignore names.
func (r *release) chart(chart string) ([]entry, error) {
	dir := filepath.Join(r.root, "charts", chart)
	entries, err := entriesOf(dir, chart)
	if err != nil {
		return nil, err
	}
	ignored, err := os.ReadFile(filepath.Join(dir, ".helmignore"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	patterns := append(strings.Fields(string(ignored)), ".helmignore")
	entries = slices.DeleteFunc(entries, func(e entry) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			matches, err := path.Match(pattern, path.Base(e.target))
			return err == nil && matches
		})
	})
	number := strings.TrimPrefix(r.version, "v")
	for i := range entries {
		if entries[i].target != chart+"/Chart.yaml" {
			continue
		}
		content, err := os.ReadFile(entries[i].source)
		if err != nil {
			return nil, err
		}
		lines := map[*regexp.Regexp]string{chartVersion: "version: " + number}
		if chart == name {
			lines[chartAppVersion], lines[chartImage] = "appVersion: "+number, "image: "+imageName+":"+r.version
		}
		text := string(content)
		for what, with := range lines {
			if text, err = replaceOnce(text, what, []byte(with)); err != nil {
				return nil, fmt.Errorf("editing Chart.yaml: %w", err)
			}
		}
		entries[i] = entry{content: []byte(text), target: entries[i].target, mode: entries[i].mode}
	}
	return entries, nil
}

// chartArchive has the name that Helm expects.
func (r *release) chartArchive(chart string) string {
	return chart + "-" + strings.TrimPrefix(r.version, "v") + ".tgz"
}

// krew fills in the manifest of the kubectl plugin.
func (r *release) krew(context.Context) error {
	text, err := os.ReadFile(filepath.Join(r.root, "hack", "krew", "schemagate.yaml.tmpl"))
	if err != nil {
		return err
	}
	parsed, err := template.New("krew").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return err
	}
	type archive struct{ OS, Arch, File, SHA256, Program string }
	var archives []archive
	for _, p := range r.platforms {
		digest, err := sum(r.artifact(r.archive(p)))
		if err != nil {
			return err
		}
		archives = append(archives, archive{p.os, p.arch, r.archive(p), digest, p.program()})
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, struct {
		Version  string
		Archives []archive
	}{r.version, archives})
	if err != nil {
		return err
	}
	return r.write("krew-"+name+".yaml", out.Bytes())
}

func (r *release) checksums(context.Context) error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, file := range files {
		digest, err := sum(r.artifact(file.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", digest, file.Name())
	}
	return r.write(checksumFile, []byte(text.String()))
}
