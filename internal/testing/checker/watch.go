package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

const (
	// pageSize bounds how many objects of a list are held at a time.
	pageSize = 500

	// pause is how long to wait before a watch is opened again. It is short,
	// because an API server that has been restarted knows nothing of before: what
	// is written until the checker is back, it only sees the outcome of.
	pause = 100 * time.Millisecond

	// replay is how long after a watch was opened again an event may be one that
	// was written while there was none.
	replay = time.Second

	// patience bounds how long to wait for the API server at the end.
	patience = 2 * time.Minute
)

// kind is what a stream shows.
type kind string

const (
	kindSchema kind = "DatabaseSchemas"
	kindPod    kind = "pods"
)

func (k kind) list() client.ObjectList {
	if k == kindSchema {
		return &v1alpha1.DatabaseSchemaList{}
	}
	return &corev1.PodList{}
}

// watches are the streams of one kind.
type watches struct {
	ctx     context.Context // of the run: watches go on between calls
	cancel  context.CancelFunc
	running sync.WaitGroup
	streams []*stream
}

func newWatches(ctx context.Context) *watches {
	ctx, cancel := context.WithCancel(ctx)
	return &watches{ctx: ctx, cancel: cancel}
}

func (w *watches) add(s *stream) { w.streams = append(w.streams, s) }

// start lists everything, and follows it from there on.
func (w *watches) start() error {
	for _, s := range w.streams {
		if err := s.begin(w.ctx); err != nil {
			return err
		}
	}
	for _, s := range w.streams {
		w.running.Go(func() { s.run(w.ctx) })
	}
	return nil
}

// finish waits until everything has been seen that is there, and stops.
func (w *watches) finish() error {
	defer w.stop()
	var errs []error
	for _, s := range w.streams {
		errs = append(errs, s.catchUp(w.ctx))
	}
	return errors.Join(errs...)
}

func (w *watches) stop() {
	w.cancel()
	w.running.Wait()
}

// stream is a watch that is opened again whenever it ends.
type stream struct {
	client    client.WithWatch
	clock     func() time.Time
	recorder  *recorder
	kind      kind
	namespace string // all when empty
	options   []client.ListOption

	// last is the resourceVersion up to which everything has been recorded.
	last string

	// lost is when the watch ended last, and until is how long an event may be
	// one of the time after that.
	lost, until time.Time
}

func newStream(options Options, r *recorder, k kind, namespace string) *stream {
	s := &stream{
		client: options.Client, clock: options.Clock, recorder: r, kind: k, namespace: namespace,
		options: []client.ListOption{client.InNamespace(namespace)},
	}
	if k == kindPod {
		s.options = append(s.options, client.HasLabels{v1alpha1.LabelSchema})
	}
	return s
}

// begin records what there is.
func (s *stream) begin(ctx context.Context) error {
	s.lost = s.clock()
	version, err := s.each(ctx, func(object client.Object) {
		s.recorder.exists(object, sighting{initial: true, earliest: s.lost, latest: s.lost})
	})
	s.last = version
	return err
}

// run follows what happens until ctx ends.
func (s *stream) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.follow(ctx); apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
			// When this fails as well, the next watch is refused for the same reason.
			_ = s.relist(ctx)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// follow records what happens until the watch ends, for whatever reason.
func (s *stream) follow(ctx context.Context) error {
	w, err := s.client.Watch(ctx, s.kind.list(), append(slices.Clone(s.options), &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: s.last, AllowWatchBookmarks: true},
	})...)
	if err != nil {
		return err
	}
	defer w.Stop()
	s.until = s.clock().Add(replay)
	defer func() { s.lost = s.clock() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-w.ResultChan():
			if !open {
				return nil
			}
			if err := s.record(event); err != nil {
				return err
			}
		}
	}
}

func (s *stream) record(event watch.Event) error {
	object, ok := event.Object.(client.Object)
	if event.Type == watch.Error || !ok {
		return apierrors.FromObject(event.Object)
	}
	now := s.clock()
	seen := sighting{earliest: now, latest: now}
	if now.Before(s.until) {
		seen.earliest = s.lost
	}
	switch event.Type {
	case watch.Added, watch.Modified:
		s.recorder.exists(object, seen)
	case watch.Deleted:
		s.recorder.deleted(object, seen)
	case watch.Bookmark, watch.Error:
	}
	s.last = object.GetResourceVersion()
	return nil
}

// relist records what there is after events were missed.
func (s *stream) relist(ctx context.Context) error {
	listed := map[types.UID]string{}
	seen := sighting{after: s.last, earliest: s.lost}
	version, err := s.each(ctx, func(object client.Object) {
		listed[object.GetUID()] = object.GetResourceVersion()
		seen.latest = s.clock()
		s.recorder.exists(object, seen)
	})
	if err != nil {
		return err
	}
	seen.latest = s.clock()
	s.recorder.absent(s.kind, s.namespace, listed, version, seen)
	s.last, s.lost = version, seen.latest
	return nil
}

var errBehind = errors.New("the watch has not shown what a list did")

// catchUp waits until everything has been recorded that is there at the moment.
func (s *stream) catchUp(ctx context.Context) error {
	var version string
	listed := map[types.UID]string{}
	last := errBehind
	err := wait.PollUntilContextTimeout(ctx, pause, patience, true, func(ctx context.Context) (bool, error) {
		if version == "" {
			clear(listed)
			at, err := s.each(ctx, func(object client.Object) { listed[object.GetUID()] = object.GetResourceVersion() })
			if err != nil {
				last = err
				return false, nil //nolint:nilerr // the API server may be down for a while
			}
			version, last = at, errBehind
		}
		return s.recorder.reached(s.kind, s.namespace, listed, version), nil
	})
	if err != nil {
		return fmt.Errorf("catching up with the %s: %w (%w)", s.kind, err, last)
	}
	return nil
}

// each calls visit with everything there is, and returns the resourceVersion at
// which it was.
func (s *stream) each(ctx context.Context, visit func(client.Object)) (version string, err error) {
	for token := ""; ; {
		list := s.kind.list()
		if err := s.client.List(ctx, list, append(slices.Clone(s.options), client.Limit(pageSize), client.Continue(token))...); err != nil {
			return "", fmt.Errorf("listing the %s: %w", s.kind, err)
		}
		err := apimeta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("a list of %s holds a %T", s.kind, item)
			}
			visit(object)
			return nil
		})
		if err != nil {
			return "", err
		}
		if version == "" {
			version = list.GetResourceVersion()
		}
		if token = list.GetContinue(); token == "" {
			return version, nil
		}
	}
}
