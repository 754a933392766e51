package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// chartDirectory holds the chart.
const chartDirectory = "charts/" + name

// Lines of Chart.yaml that say the version. The time since which a line was so is
// that of the chart before.
var (
	chartVersion    = regexp.MustCompile(`(?m)^version: .*$`)
	chartAppVersion = regexp.MustCompile(`(?m)^appVersion: .*$`)
	chartImage      = regexp.MustCompile(`image: ghcr\.io/schemagate/schemagate:v\S+`)
)

// chart packs the chart as "helm package" does, with the version of the release.
func (r *release) chart(context.Context) error {
	dir := filepath.Join(r.root, chartDirectory)
	entries, err := entriesOf(dir, name)
	if err != nil {
		return fmt.Errorf("reading the chart: %w", err)
	}
	number := strings.TrimPrefix(r.version, "v")
	for i := range entries {
		if entries[i].target != name+"/Chart.yaml" {
			continue
		}
		content, err := os.ReadFile(entries[i].source)
		if err != nil {
			return err
		}
		text := string(content)
		for what, with := range map[*regexp.Regexp]string{
			chartVersion: "version: " + number, chartAppVersion: "appVersion: " + number, chartImage: "image: " + imageName + ":" + r.version,
		} {
			if text, err = replaceOnce(text, what, []byte(with)); err != nil {
				return fmt.Errorf("editing Chart.yaml: %w", err)
			}
		}
		entries[i] = entry{content: []byte(text), target: entries[i].target, mode: entries[i].mode}
	}
	return r.pack(r.chartArchive(), entries)
}

// chartArchive has the name that Helm expects.
func (r *release) chartArchive() string {
	return name + "-" + strings.TrimPrefix(r.version, "v") + ".tgz"
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
