package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"fmt"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/go-licenses/licenses"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// sbom writes what a program is made from, by what the program itself says: the
// modules that the linker has noted in it.
func (r *release) sbom(p platform) error {
	info, err := buildinfo.ReadFile(r.binary(p))
	if err != nil {
		return err
	}
	archive, err := sum(r.artifact(r.archive(p)))
	if err != nil {
		return err
	}
	known, err := r.moduleLicenses()
	if err != nil {
		return err
	}
	document := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      r.archive(p),
		DocumentNamespace: "https://" + module + "/releases/download/" + r.version + "/" + r.archive(p) + ".spdx.json#" + archive,
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "schemagate-release"}},
			Created:  time.Unix(r.epoch, 0).UTC().Format(time.RFC3339),
		},
	}
	own := &spdx.Package{
		PackageName: module, PackageSPDXIdentifier: "Package-" + name, PackageVersion: r.version, PackageFileName: r.archive(p),
		PackageDownloadLocation: "https://" + module + "/releases/download/" + r.version + "/" + r.archive(p),
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: archive}},
		PackageLicenseDeclared:  "Apache-2.0", PackageLicenseConcluded: "Apache-2.0", PackageCopyrightText: noAssertion,
		PackageSourceInfo: "built from commit " + r.commit, PrimaryPackagePurpose: "APPLICATION",
	}
	document.Packages = append(document.Packages, own)
	document.Relationships = append(document.Relationships, related("DOCUMENT", "DESCRIBES", own))
	toolchain := &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}
	for _, dependency := range append([]*debug.Module{toolchain}, info.Deps...) {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		license := cmp.Or(known[dependency.Path], noAssertion)
		if dependency == toolchain {
			license = "BSD-3-Clause"
		}
		pkg := modulePackage(dependency, license)
		document.Packages = append(document.Packages, pkg)
		document.Relationships = append(document.Relationships, related(own.PackageSPDXIdentifier, "DEPENDS_ON", pkg))
	}
	var out bytes.Buffer
	if err := spdxjson.Write(document, &out, spdxjson.Indent(" ")); err != nil {
		return err
	}
	out.WriteByte('\n')
	return r.write(r.sbomFile(p), out.Bytes())
}

// sbomFile is the name of the SBOM of a platform's archive.
func (r *release) sbomFile(p platform) string { return r.archive(p) + ".spdx.json" }

// sbomInImage is where each image has the SBOM of its program.
const sbomInImage = "/sbom/" + name + ".spdx.json"

// noAssertion is SPDX's word for what nobody has looked into.
const noAssertion = "NOASSERTION"

// notInID is what an SPDX identifier cannot hold.
var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func modulePackage(m *debug.Module, license string) *spdx.Package {
	pkg := &spdx.Package{
		PackageName: m.Path, PackageVersion: m.Version,
		PackageSPDXIdentifier:   common.ElementID("Package-go-" + notInID.ReplaceAllString(m.Path+"-"+m.Version, "-")),
		PackageDownloadLocation: noAssertion, PackageCopyrightText: noAssertion,
		PackageLicenseConcluded: license, PackageLicenseDeclared: license,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL,
			Locator: fmt.Sprintf("pkg:golang/%s@%s", m.Path, strings.ReplaceAll(m.Version, "+", "%2B")),
		}},
	}
	if m.Sum != "" {
		// Go's own sum is one of the module's files and their names, not of one file.
		pkg.PackageComment = "go.sum: " + m.Sum
	}
	return pkg
}

func related(from common.ElementID, how string, to *spdx.Package) *spdx.Relationship {
	return &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(from)), Relationship: how,
		RefB: common.MakeDocElementID("", string(to.PackageSPDXIdentifier)),
	}
}

// moduleLicenses tells the licenses of modules by the texts that hack/licenses has
// collected, as "make licenses" recognizes them. Those that are not are left out.
func (r *release) moduleLicenses() (map[string]string, error) {
	if r.recognized != nil {
		return r.recognized, nil
	}
	classifier, err := licenses.NewClassifier(licenseConfidence)
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(r.licenses(), "")
	if err != nil {
		return nil, err
	}
	// LICENSE is the module's; LICENSE-XYZ beside it is that of a part.
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(len(a.target), len(b.target)) })
	r.recognized = map[string]string{}
	for _, e := range entries {
		file := path.Base(e.target)
		if !strings.HasPrefix(file, "LICEN") && !strings.HasPrefix(file, "COPYING") {
			continue
		}
		if _, ok := r.recognized[path.Dir(e.target)]; ok {
			continue
		}
		if id, _, err := classifier.Identify(e.source); err == nil {
			r.recognized[path.Dir(e.target)] = id
		}
	}
	return r.recognized, nil
}

// licenseConfidence is that of "make licenses".
const licenseConfidence = 0.8
