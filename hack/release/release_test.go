package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"sigs.k8s.io/yaml"
)

const version = "v0.7.0-rc.1"

// local is the platform of this machine. The others are built in the same way, but
// each would have everything compiled anew.
var local = platform{"linux", runtime.GOARCH}

// checkout copies the sources as they are, into a repository with one commit and a
// changelog that has the version.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.test", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.test")
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, output)
		}
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = filepath.Join("..", "..")
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		source := filepath.Join("..", "..", file)
		info, err := os.Stat(source)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if file == "CHANGELOG.md" {
			content = bytes.Replace(content, []byte("## [Unreleased]"), []byte("## [Unreleased]\n\n## [0.7.0-rc.1] - 2026-01-02"), 1)
		}
		target := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o750), os.WriteFile(target, content, info.Mode())); err != nil { //nolint:gosec // both trees are ours
			t.Fatal(err)
		}
	}
	git("init", "--quiet")
	git("add", "--all")
	git("commit", "--quiet", "--message", "Everything")
	return dir
}

// TestRelease makes a release twice, at different places, and looks into all of it.
func TestRelease(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	database := emptyVulnDB(t)
	build := func(root, out string) {
		t.Helper()
		err := run(t.Context(), []string{"-version", version, "-root", root, "-out", out, "-platforms", local.String(), "-vulndb", database})
		if err != nil {
			t.Fatal(err)
		}
	}
	build(checkout(t), out)
	again := t.TempDir()
	build(checkout(t), again)
	first, second := read(t, out, checksumFile), read(t, again, checksumFile)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same commit gives two releases (-first +second):\n%s", diff)
	}
	sums := checkSums(t, out, first)
	number := strings.TrimPrefix(version, "v")
	for _, file := range []string{
		"schemagate_" + version + "_linux_" + runtime.GOARCH + ".tar.gz",
		"schemagate_" + version + "_linux_" + runtime.GOARCH + ".tar.gz.spdx.json",
		"schemagate_" + version + "_image.oci.tar", "schemagate-" + number + ".tgz", "schemagate-gate-" + number + ".tgz", "install.yaml", "install-without-mutating.yaml",
		"install-namespaced-open-webui.yaml", "crd.yaml", "krew-schemagate.yaml", "notes.md",
	} {
		if sums[file] == "" {
			t.Errorf("the release lacks %s", file)
		}
		delete(sums, file)
	}
	if len(sums) > 0 {
		t.Errorf("the release has besides: %v", sums)
	}
	t.Run("archives", func(t *testing.T) { t.Parallel(); checkArchives(t, out) })
	t.Run("SBOM", func(t *testing.T) { t.Parallel(); checkSBOM(t, out) })
	t.Run("SBOM in the image", func(t *testing.T) { t.Parallel(); checkSBOMInImage(t, out) })
	t.Run("manifests", func(t *testing.T) { t.Parallel(); checkManifests(t, out) })
	t.Run("chart", func(t *testing.T) { t.Parallel(); checkChart(t, out) })
	t.Run("krew", func(t *testing.T) { t.Parallel(); checkKrew(t, out) })
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// checkSums compares what the list says with the files, and returns it.
func checkSums(t *testing.T, dir, list string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(list) {
		digest, file, found := strings.Cut(strings.TrimSpace(line), "  ")
		got := sha256.Sum256([]byte(read(t, dir, file)))
		if !found || hex.EncodeToString(got[:]) != digest {
			t.Errorf("%s has the checksum %x, and the list says %q", file, got, line)
		}
		sums[file] = digest
	}
	return sums
}

// untar returns the files of an archive.
func untar(t *testing.T, content string) map[string][]byte {
	t.Helper()
	compressed, err := gzip.NewReader(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return readTar(t, compressed)
}

func readTar(t *testing.T, content io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func checkArchives(t *testing.T, out string) {
	t.Helper()
	files := untar(t, read(t, out, "schemagate_"+version+"_linux_"+runtime.GOARCH+".tar.gz"))
	if len(files["LICENSE"]) == 0 || len(files["licenses/github.com/lib/pq/LICENSE"]) == 0 {
		t.Error("the archive lacks licenses")
	}
	program := filepath.Join(t.TempDir(), "schemagate")
	if err := os.WriteFile(program, files["schemagate"], 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != version {
		t.Errorf("the program says that it is %q (%v)", output, err)
	}
}

// TestPackForWindows: there archives are another kind.
func TestPackForWindows(t *testing.T) {
	t.Parallel()
	r := &release{out: t.TempDir(), version: version, epoch: 1_800_000_000}
	p := platform{"windows", "arm64"}
	file := r.archive(p)
	if want := "schemagate_" + version + "_windows_arm64.zip"; file != want {
		t.Errorf("the archive is %s, want %s", file, want)
	}
	if err := r.pack(file, []entry{{content: []byte("program"), target: p.program(), mode: 0o755}, {content: []byte("text"), target: "LICENSE", mode: 0o644}}); err != nil {
		t.Fatal(err)
	}
	content := read(t, r.out, file)
	archive, err := zip.NewReader(strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]uint32{}
	for _, file := range archive.File {
		names[file.Name] = uint32(file.Mode())
	}
	if diff := cmp.Diff(map[string]uint32{"schemagate.exe": 0o755, "LICENSE": 0o644}, names); diff != "" {
		t.Errorf("the archive for Windows (-want +got):\n%s", diff)
	}
}

func checkSBOM(t *testing.T, out string) {
	t.Helper()
	file := "schemagate_" + version + "_linux_" + runtime.GOARCH + ".tar.gz"
	document, err := spdxjson.Read(strings.NewReader(read(t, out, file+".spdx.json")))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, pkg := range document.Packages {
		found[pkg.PackageName] = pkg.PackageLicenseConcluded
		if pkg.PackageName == module && pkg.PackageChecksums[0].Value != sums(t, out)[file] {
			t.Error("the SBOM is of another archive")
		}
		if pkg.PackageLicenseConcluded == noAssertion {
			t.Errorf("the license of %s is not recognized", pkg.PackageName)
		}
	}
	for name, license := range map[string]string{
		module: "Apache-2.0", "github.com/lib/pq": "MIT", "k8s.io/api": "Apache-2.0", "stdlib": "BSD-3-Clause", "modernc.org/sqlite": "BSD-3-Clause",
	} {
		if found[name] != license {
			t.Errorf("%s has the license %q, want %q", name, found[name], license)
		}
	}
	if len(document.Relationships) != len(document.Packages) {
		t.Errorf("%d relationships for %d packages", len(document.Relationships), len(document.Packages))
	}
}

// checkSBOMInImage looks into the layers of each platform's image.
func checkSBOMInImage(t *testing.T, out string) {
	t.Helper()
	files := readTar(t, strings.NewReader(read(t, out, "schemagate_"+version+"_image.oci.tar")))
	type descriptor struct {
		Digest   string
		Platform struct{ OS, Architecture string }
	}
	parse := func(file string) (content struct{ Manifests, Layers []descriptor }) {
		t.Helper()
		if err := json.Unmarshal(files[file], &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		return content
	}
	blob := func(d descriptor) string { return "blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }
	images := parse(blob(parse("index.json").Manifests[0])).Manifests
	if len(images) != 1 {
		t.Fatalf("the image is for %d platforms, want 1", len(images))
	}
	for _, image := range images {
		var found []string
		for _, layer := range parse(blob(image)).Layers {
			if content, ok := untar(t, string(files[blob(layer)]))["sbom/schemagate.spdx.json"]; ok {
				found = append(found, string(content))
			}
		}
		beside := read(t, out, "schemagate_"+version+"_"+image.Platform.OS+"_"+image.Platform.Architecture+".tar.gz.spdx.json")
		if diff := cmp.Diff([]string{beside}, found); diff != "" {
			t.Errorf("the SBOM in the image for %s (-beside the archive +in the image):\n%s", image.Platform.Architecture, diff)
		}
	}
}

func sums(t *testing.T, out string) map[string]string {
	t.Helper()
	return checkSums(t, out, read(t, out, checksumFile))
}

func checkManifests(t *testing.T, out string) {
	t.Helper()
	kinds := map[string]map[string]int{}
	for _, file := range []string{"install.yaml", "install-without-mutating.yaml", "install-namespaced-open-webui.yaml", "crd.yaml"} {
		kinds[file] = map[string]int{}
		content := read(t, out, file)
		if strings.Contains(content, "schemagate:dev") {
			t.Errorf("%s names the image of development", file)
		}
		if file != "crd.yaml" && !strings.Contains(content, "image: "+imageName+":"+version+"@sha256:") {
			t.Errorf("%s does not name the image", file)
		}
		for part := range strings.SplitSeq(content, "\n---\n") {
			var object struct {
				Kind string `json:"kind"`
			}
			if err := yaml.Unmarshal([]byte(part), &object); err != nil || object.Kind == "" {
				t.Errorf("%s: %v: %s", file, err, part)
			}
			kinds[file][object.Kind]++
		}
	}
	if kinds["install.yaml"]["MutatingAdmissionPolicy"] == 0 || kinds["install-without-mutating.yaml"]["MutatingAdmissionPolicy"] != 0 ||
		kinds["install-namespaced-open-webui.yaml"]["RoleBinding"] < 2 || kinds["crd.yaml"]["CustomResourceDefinition"] != 1 || len(kinds["crd.yaml"]) != 1 {
		t.Errorf("the manifests hold %v", kinds)
	}
}

func checkChart(t *testing.T, out string) {
	t.Helper()
	number := strings.TrimPrefix(version, "v")
	files := untar(t, read(t, out, "schemagate-"+number+".tgz"))
	var chart struct {
		Version, AppVersion string
	}
	if err := yaml.Unmarshal(files["schemagate/Chart.yaml"], &chart); err != nil || chart.Version != number || chart.AppVersion != number {
		t.Errorf("the chart is %+v (%v)", chart, err)
	}
	if len(files["schemagate/README.md.gotmpl"]) != 0 || len(files["schemagate/.helmignore"]) != 0 {
		t.Error("the chart holds what its .helmignore names")
	}
	library := untar(t, read(t, out, "schemagate-gate-"+number+".tgz"))
	if !bytes.Contains(library["schemagate-gate/Chart.yaml"], []byte("version: "+number+"\n")) || len(library["schemagate-gate/templates/_gate.tpl"]) == 0 {
		t.Error("the library chart lacks its version or its templates")
	}
	if len(files["schemagate/values.yaml"]) == 0 || !bytes.Contains(files["schemagate/Chart.yaml"], []byte(imageName+":"+version)) {
		t.Errorf("the chart holds %d files", len(files))
	}
}

// checkKrew compares the manifest with the archives that it names. It does not run
// krew.
func checkKrew(t *testing.T, out string) {
	t.Helper()
	var manifest struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             struct {
			Version, ShortDescription string
			Platforms                 []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, SHA256, Bin string
				Files            []krewFile
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, out, "krew-schemagate.yaml")), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || manifest.Kind != "Plugin" || manifest.Metadata.Name != name ||
		manifest.Spec.Version != version || manifest.Spec.ShortDescription == "" || len(manifest.Spec.Platforms) != 1 {
		t.Errorf("the manifest is %+v", manifest)
	}
	for _, p := range manifest.Spec.Platforms {
		file := p.URI[strings.LastIndex(p.URI, "/")+1:]
		if p.SHA256 == "" || p.SHA256 != sums(t, out)[file] || !strings.HasPrefix(p.Bin, "schemagate") || p.Selector.MatchLabels["os"] == "" {
			t.Errorf("krew is told %+v", p)
		}
		checkInstalled(t, untar(t, read(t, out, file)), p.Bin, p.Files)
	}
}

// krewFile is what krew takes out of an archive.
type krewFile struct{ From, To string }

func checkInstalled(t *testing.T, archive map[string][]byte, program string, files []krewFile) {
	t.Helper()
	installed := map[string]bool{}
	for _, f := range files {
		if len(archive[f.From]) == 0 || f.To != "." {
			t.Errorf("krew is told to install %q to %q, and the archive has %d bytes of it", f.From, f.To, len(archive[f.From]))
		}
		installed[f.From] = true
	}
	if diff := cmp.Diff(map[string]bool{program: true, "LICENSE": true}, installed); diff != "" {
		t.Errorf("what krew installs (-want +got):\n%s", diff)
	}
}
