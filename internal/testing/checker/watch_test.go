package checker

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// script is an API server that has one pod at most, and no schemas. It shows what
// a real one does not do when asked: watches end, and it goes away.
type script struct {
	client.WithWatch // of which nothing else is called

	// first and then are what lists show: the first one, and all others.
	first, then corev1.PodList

	// broken is how many lists fail after the first.
	broken int

	// watches are what becomes of the watches of pods, one by one. All later ones
	// stay open.
	watches []attempt

	mu    sync.Mutex
	lists int
	asked []string // the resourceVersions from which watches were to begin
}

// attempt is a watch that fails, or shows events and ends.
type attempt struct {
	err    error
	events []watch.Event
}

var errAway = errors.New("connection refused")

func (s *script) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pods, ok := list.(*corev1.PodList)
	if !ok {
		list.SetResourceVersion("1")
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	switch {
	case s.lists == 1:
		s.first.DeepCopyInto(pods)
	case s.broken > 0:
		s.broken--
		return errAway
	default:
		s.then.DeepCopyInto(pods)
	}
	return nil
}

func (s *script) Watch(_ context.Context, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	if _, ok := list.(*corev1.PodList); !ok {
		return watch.NewFake(), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	applied := (&client.ListOptions{}).ApplyOptions(options)
	s.asked = append(s.asked, applied.Raw.ResourceVersion)
	if len(s.watches) == 0 {
		return watch.NewFake(), nil
	}
	next := s.watches[0]
	s.watches = s.watches[1:]
	if next.err != nil {
		return nil, next.err
	}
	w := watch.NewFakeWithChanSize(len(next.events), true)
	for _, event := range next.events {
		w.Action(event.Type, event.Object)
	}
	w.Stop()
	return w, nil
}

func podList(version string, pods ...*corev1.Pod) corev1.PodList {
	list := corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version}}
	for _, p := range pods {
		list.Items = append(list.Items, *p)
	}
	return list
}

func bookmark(number int) watch.Event {
	return watch.Event{Type: watch.Bookmark, Object: &corev1.Pod{ObjectMeta: freePod(number).ObjectMeta}}
}

var (
	expired = apierrors.NewResourceExpired("too old resource version")
	tooOld  = watch.Event{Type: watch.Error, Object: &expired.ErrStatus}
	broken  = watch.Event{Type: watch.Error, Object: &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError}}
)

// TestWatch: whatever becomes of watches, the history goes on where it ended. The
// pod is released in the end, and then nothing happens any more.
func TestWatch(t *testing.T) {
	t.Parallel()
	released := watch.Event{Type: watch.Modified, Object: freePod(12)}
	changed := watch.Event{Type: watch.Modified, Object: gatedPod(11)}
	tests := map[string]struct {
		watches []attempt
		broken  int
		then    *corev1.PodList // default: the released pod
		asked   []string
		after   string // of the release
		gone    bool
	}{
		"one after the other": {
			watches: []attempt{{events: []watch.Event{changed}}, {}, {events: []watch.Event{released}}},
			asked:   []string{"10", "11", "11", "12"},
		},
		"nothing but a bookmark": {
			watches: []attempt{{events: []watch.Event{bookmark(11)}}, {events: []watch.Event{released}}},
			asked:   []string{"10", "11", "12"},
		},
		"the API server is away": {
			watches: []attempt{{events: []watch.Event{changed}}, {err: errAway}, {err: errAway}, {events: []watch.Event{released}}},
			asked:   []string{"10", "11", "11", "11", "12"},
		},
		"an error in the watch": {
			watches: []attempt{{events: []watch.Event{changed, broken}}, {events: []watch.Event{released}}},
			asked:   []string{"10", "11", "12"},
		},
		"too old, said in the watch": {
			watches: []attempt{{events: []watch.Event{changed}}, {events: []watch.Event{tooOld}}},
			asked:   []string{"10", "11", "20"}, after: "11",
		},
		"too old, said at once": {
			watches: []attempt{{events: []watch.Event{changed}}, {err: expired}},
			asked:   []string{"10", "11", "20"}, after: "11",
		},
		"too old, and away": {
			watches: []attempt{{events: []watch.Event{changed}}, {err: expired}, {err: errAway}, {err: expired}},
			broken:  1,
			asked:   []string{"10", "11", "11", "11", "20"}, after: "11",
		},
		"deleted": {
			watches: []attempt{{events: []watch.Event{released, {Type: watch.Deleted, Object: freePod(15)}}}},
			then:    new(podList("20")), gone: true, asked: []string{"10", "15"},
		},
		"deleted, and too old": {
			watches: []attempt{{events: []watch.Event{released, tooOld}}},
			then:    new(podList("20")), gone: true, asked: []string{"10", "20"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &script{first: podList("10", gatedPod(5)), then: podList("20", freePod(12)), watches: tc.watches, broken: tc.broken}
			if tc.then != nil {
				server.then = *tc.then
			}
			c, err := Start(t.Context(), Options{Client: server, Bundle: openWebUI(t)})
			if err != nil {
				t.Fatal(err)
			}
			// The last watch stays open, so whoever waits for it sees everything.
			waitFor(t, func() bool {
				server.mu.Lock()
				defer server.mu.Unlock()
				return len(server.asked) >= len(tc.asked)
			})
			report := c.Finish()
			if report.Pods != 1 || report.Releases != 1 || len(report.Violations) != 1 || !strings.Contains(report.Violations[0], "does not exist") {
				t.Errorf("Report %+v", report)
			}
			if diff := cmp.Diff(tc.asked, server.asked); diff != "" {
				t.Errorf("watches began at (-want +got):\n%s", diff)
			}
			p := c.recorder.history.pods[0]
			if p.letIn.version != "12" || p.letIn.after != tc.after || !p.ended.IsZero() != tc.gone {
				t.Errorf("the pod was let in at %+v, and ended at %s", p.letIn, p.ended)
			}
			if p.letIn.latest.Before(p.letIn.earliest) {
				t.Errorf("the pod was let in between %s and %s", p.letIn.earliest, p.letIn.latest)
			}
			if again := c.Finish(); cmp.Diff(report, again) != "" {
				t.Errorf("Finish() = %+v, then %+v", report, again)
			}
		})
	}
}

// TestFinishWaits: what the API server shows by now is seen, however late.
func TestFinishWaits(t *testing.T) {
	t.Parallel()
	server := &script{
		first: podList("10", gatedPod(5)), then: podList("20", freePod(12)),
		watches: []attempt{{}, {err: errAway}, {events: []watch.Event{{Type: watch.Modified, Object: freePod(12)}}}},
		broken:  2,
	}
	c, err := Start(t.Context(), Options{Client: server, Bundle: openWebUI(t)})
	if err != nil {
		t.Fatal(err)
	}
	if report := c.Finish(); report.Releases != 1 {
		t.Errorf("Report %+v", report)
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStartFails: a checker that has not seen the beginning is none.
func TestStartFails(t *testing.T) {
	t.Parallel()
	server := &script{first: podList("10")}
	if _, err := Start(t.Context(), Options{Client: server}); err == nil {
		t.Error("it starts without a bundle")
	}
	if _, err := Start(t.Context(), Options{Bundle: openWebUI(t)}); err == nil {
		t.Error("it starts without a client")
	}
	away := &script{lists: 1, broken: 1}
	if _, err := Start(t.Context(), Options{Client: away, Bundle: openWebUI(t)}); !errors.Is(err, errAway) {
		t.Errorf("Start() = %v, want %v", err, errAway)
	}
}

// TestTheEndIsMissing: a run that could not be watched to its end has not passed.
func TestTheEndIsMissing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Start(ctx, Options{Client: &script{first: podList("10")}, Bundle: openWebUI(t)})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	report := c.Finish()
	if len(report.Violations) != 2 || !strings.Contains(report.Violations[0], "not watched to its end: catching up with the pods") {
		t.Errorf("violations are %q", report.Violations)
	}
}

// pages is an API server whose lists have two pages, of one pod each.
type pages struct{ client.WithWatch }

func (pages) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	page := podList("20", freePod(6))
	page.Items[0].UID = "another"
	if applied := (&client.ListOptions{}).ApplyOptions(options); applied.Continue == "" {
		page = podList("20", freePod(5))
		page.Continue = "here"
	}
	if pods, ok := list.(*corev1.PodList); ok {
		page.DeepCopyInto(pods)
	}
	return nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newStream(Options{Client: pages{}, Clock: time.Now}, newRecorder(second(0)), kindPod, "")
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pods := s.recorder.history.pods; len(pods) != 2 || s.last != "20" {
		t.Errorf("%d pods at version %s", len(pods), s.last)
	}
}
