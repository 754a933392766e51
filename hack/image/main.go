// Image packs static binaries into container images, without a container
// engine and reproducibly: the same input gives the same digest on every
// machine.
//
//	image build -tag schemagate:v0.1.0 \
//		-binary linux/amd64=bin/schemagate-amd64 -binary linux/arm64=bin/schemagate-arm64 \
//		-layout out/oci -out out/schemagate.tar
//
// writes an OCI image layout with all platforms and a docker-archive, which
// "ctr images import" and "docker load" read, with that of this machine. The
// image holds the binary, which is its entry point, certificate authorities,
// the user that runs it (65532:65532), and what -file adds to all platforms or
// to one.
//
// All files carry the time in SOURCE_DATE_EPOCH, in seconds since 1970; the
// default is 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH"), os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, epoch string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] != "build" {
		return errors.New("usage: image build -tag name:version -binary [platform=]path [-out file] [-layout directory]")
	}
	o, err := parse(args[1:], epoch, stderr)
	if err != nil {
		return err
	}
	index, err := build(o)
	if err != nil {
		return err
	}
	if err := write(ctx, o, index); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s %s\n", o.tag, digest)
	return err
}

// options is the command line, checked.
type options struct {
	tag         name.Tag
	binaries    []executable
	files       []file
	entrypoint  string            // path in the image
	annotations map[string]string // org.opencontainers.image.*
	created     time.Time
	archive     string // file to write; empty for none
	layout      string // directory to write; empty for none
}

// executable is a program for one platform.
type executable struct {
	platform v1.Platform
	path     string
}

// file is what goes into the image from the machine that builds it.
type file struct {
	platform       *v1.Platform // nil for all
	source, target string
}

func parse(args []string, epoch string, stderr io.Writer) (options, error) {
	o := options{annotations: map[string]string{}}
	flags := flag.NewFlagSet("image build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	tag := flags.String("tag", "", "`name:version` of the image")
	flags.StringVar(&o.entrypoint, "entrypoint", "", "`path` of the program in the image; by default / and the last part of the image's name")
	flags.StringVar(&o.archive, "out", "", "docker-archive `file` to write, with the platform of this machine")
	flags.StringVar(&o.layout, "layout", "", "OCI layout `directory` to write, with all platforms")
	flags.Func("binary", "static program as `[platform=]path`; once per platform, by default linux and this machine's architecture", o.addBinary)
	flags.Func("file", "file or directory to add as `[platform=]source=/target`, by default for all platforms; may be repeated", o.addFile)
	flags.Func("annotation", "`key=value` for the image's annotations and labels; may be repeated", o.addAnnotation)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if len(o.binaries) == 0 {
		return o, errors.New("-binary is missing")
	}
	if err := o.checkFiles(); err != nil {
		return o, err
	}
	if o.archive == "" && o.layout == "" {
		return o, errors.New("-out and -layout are missing: nothing to write")
	}
	var err error
	// Without a registry the name stays as it is: where it is loaded, the
	// container runtime completes it as it completes the name in a pod.
	if o.tag, err = name.NewTag(*tag, name.WithDefaultRegistry(""), name.WithDefaultTag("")); err != nil {
		return o, fmt.Errorf("-tag: %w", err)
	}
	if o.tag.TagStr() == "" {
		return o, fmt.Errorf("-tag %q names no version", *tag)
	}
	if o.entrypoint == "" {
		o.entrypoint = "/" + path.Base(o.tag.RepositoryStr())
	}
	if !path.IsAbs(o.entrypoint) {
		return o, fmt.Errorf("-entrypoint %q is not an absolute path", o.entrypoint)
	}
	if epoch == "" {
		epoch = "0"
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return o, fmt.Errorf("reading SOURCE_DATE_EPOCH: %w", err)
	}
	o.created = time.Unix(seconds, 0).UTC()
	return o, nil
}

func (o *options) addBinary(value string) error {
	platform, source, found := strings.Cut(value, "=")
	if !found {
		platform, source = localPlatform().String(), value
	}
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return err
	}
	for _, b := range o.binaries {
		if b.platform.Equals(*parsed) {
			return fmt.Errorf("there are two binaries for %s", platform)
		}
	}
	o.binaries = append(o.binaries, executable{platform: *parsed, path: source})
	return nil
}

func (o *options) addFile(value string) error {
	rest, target := value, ""
	if i := strings.LastIndex(value, "="); i >= 0 {
		rest, target = value[:i], value[i+1:]
	}
	if !path.IsAbs(target) {
		return fmt.Errorf("%q is not of the form [platform=]source=/target", value)
	}
	f := file{source: rest, target: path.Clean(target)}
	if platform, source, found := strings.Cut(rest, "="); found {
		parsed, err := v1.ParsePlatform(platform)
		if err != nil {
			return err
		}
		f.platform, f.source = parsed, source
	}
	o.files = append(o.files, f)
	return nil
}

// checkFiles refuses files that would be in no image.
func (o *options) checkFiles() error {
	for _, f := range o.files {
		if f.platform != nil && !slices.ContainsFunc(o.binaries, func(b executable) bool { return b.platform.Equals(*f.platform) }) {
			return fmt.Errorf("-file adds %s for %s, which has no -binary", f.source, f.platform)
		}
	}
	return nil
}

func (o *options) addAnnotation(value string) error {
	key, content, found := strings.Cut(value, "=")
	if !found || key == "" {
		return fmt.Errorf("%q is not of the form key=value", value)
	}
	o.annotations[key] = content
	return nil
}

func localPlatform() v1.Platform {
	return v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
}
