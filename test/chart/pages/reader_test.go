package pages_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/pages"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// blockTimeout is for one block: the longest waits for a rollout.
const blockTimeout = 5 * time.Minute

// reader is somebody who follows a page.
type reader struct {
	*testing.T
	page    *pages.Page
	done    map[int]bool // by the line of the block
	replace *strings.Replacer
	// extra are variables that a page has its reader set.
	extra []string
	// input is what the reader types.
	input string
}

// read opens a page. What pages cannot have right for every reader is replaced: the
// address of the image and that of the database, and what the caller names.
func read(t *testing.T, path string, replace ...string) *reader {
	t.Helper()
	page := pages.All(t)[path]
	if page == nil {
		t.Fatalf("there is no page %s", path)
	}
	return &reader{T: t, page: page, done: map[int]bool{}, replace: strings.NewReplacer(append(replace,
		"ghcr.io/open-webui/open-webui:", "open-webui:",
		"charts/schemagate ", "charts/schemagate --set=image.registry=,image.repository=schemagate,image.tag=dev,image.pullPolicy=Never ",
	)...)}
}

// next returns the first block that begins with a text, of those that were not run.
func (r *reader) next(first string) pages.Block {
	r.Helper()
	for _, b := range r.page.Shell() {
		if !r.done[b.Line] && strings.HasPrefix(b.Text, first) {
			r.done[b.Line] = true
			return b
		}
	}
	r.Fatalf("%s has no block any more that begins with %q", r.page.Path, first)
	return pages.Block{}
}

// run runs the block that begins with a text, and returns what it prints.
func (r *reader) run(first string) string {
	r.Helper()
	b := r.next(first)
	printed, err := r.shell(r.replace.Replace(b.Text))
	if err != nil {
		r.Fatalf("%s:%d: %v\n%s\n%s", b.Page, b.Line, err, b.Text, printed)
	}
	return printed
}

// see runs the block that begins with a text, which has to print another one.
func (r *reader) see(first, want string) {
	r.Helper()
	if printed := r.run(first); !strings.Contains(printed, want) {
		r.Errorf("%s: the block that begins with %q prints no %q:\n%s", r.page.Path, first, want, printed)
	}
}

// answer runs the block that begins with a text on a terminal, and answers what it asks.
func (r *reader) answer(first, text string) {
	r.Helper()
	b := r.next(first)
	there := *r
	there.input, there.extra = text+"\n", append(slices.Clone(r.extra), "BLOCK="+b.Text)
	if printed, err := there.shell(`script --quiet --return --command='bash -e -c "$BLOCK"' /dev/null`); err != nil {
		r.Fatalf("%s:%d: %v\n%s\n%s", b.Page, b.Line, err, b.Text, printed)
	}
}

// leave says why the block that begins with a text is not run.
func (r *reader) leave(first, why string) {
	r.Helper()
	b := r.next(first)
	r.Logf("%s:%d is not run: %s", b.Page, b.Line, why)
}

// do does what a page says in words.
func (r *reader) do(command string) string {
	r.Helper()
	printed, err := r.shell(command)
	if err != nil {
		r.Fatalf("%s: %v\n%s", command, err, printed)
	}
	return printed
}

func (r *reader) shell(text string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), blockTimeout)
	defer cancel()
	// What a block leaves in the background ends with it.
	command := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+text)
	command.Dir, command.Env, command.WaitDelay = desk.checkout, slices.Concat(desk.env, r.extra), time.Second
	command.Stdin = strings.NewReader(r.input)
	printed, err := command.CombinedOutput()
	return string(printed), err
}

// yaml returns the block in YAML that contains a text.
func (r *reader) yaml(part string) string {
	r.Helper()
	for _, b := range r.page.Blocks {
		if b.Language == "yaml" && strings.Contains(b.Text, part) {
			return r.replace.Replace(b.Text)
		}
	}
	r.Fatalf("%s has no YAML with %q", r.page.Path, part)
	return ""
}

// save writes a file as a page has its reader write it.
func (r *reader) save(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(desk.checkout, name), []byte(content), 0o600); err != nil {
		r.Fatal(err)
	}
}

// apply applies manifests of a page.
func (r *reader) apply(manifests string) {
	r.Helper()
	there := *r
	there.input = manifests
	there.do("kubectl apply -f -")
}

// end fails the test if a block was not run, and nobody has said why.
func (r *reader) end() {
	r.Helper()
	for _, b := range r.page.Shell() {
		if !r.done[b.Line] {
			r.Errorf("%s:%d: nobody runs\n%s", b.Page, b.Line, b.Text)
		}
	}
}

// in makes a namespace that of the reader, and removes it afterwards with what is in
// it. It may be there already, and may be one that the page itself creates.
func (r *reader) in(namespace string) {
	r.Helper()
	r.do("kubectl config set-context --current --namespace=" + namespace)
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	r.Cleanup(func() {
		ctx := context.WithoutCancel(r.Context())
		if err := client.IgnoreNotFound(admin.Delete(ctx, object)); err != nil {
			r.Error(err)
		}
		err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, blockTimeout, true, func(ctx context.Context) (bool, error) {
			err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			r.Errorf("the namespace %s is still there: %v", namespace, err)
		}
	})
}

// database starts a server with an empty database, and returns its URL as pods need
// it, which is a way for the reader as well.
func database(t *testing.T) string {
	t.Helper()
	host := os.Getenv(hostAddressEnv)
	server := postgres.Start(t, postgres.ListenOn(host))
	out, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	out.Host = host + ":" + out.Port()
	return out.String()
}
