package kubectl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/plan"
)

type watchCmd struct {
	*session
	timeout time.Duration
}

func newWatchCmd(s *session) *cobra.Command {
	c := &watchCmd{session: s}
	cmd := &cobra.Command{
		Use:   "watch NAME",
		Short: "Follow a migration until the schema is Ready",
		Long: `Watch follows a schema until it is Ready: the reasons as they change, the revisions as
they are applied, the rows of a heavy step, and which pods wait. On a terminal it
draws a bar; elsewhere it writes a line for whatever happens. It ends with 0 when the
schema is Ready, with 12 when it is Stalled, and with 11 after --timeout. A plan that
waits for an approval is waited for, too. So is the operator, until it has seen what
was changed or asked for before, and the pods that wait; pods that nobody has created
yet it cannot know of.`,
		Args:              exactArgs("schema"),
		ValidArgsFunction: s.completeSchemas,
		RunE:              s.run(c.do),
	}
	cmd.Flags().DurationVar(&c.timeout, "timeout", 0, "how long to wait; 0 for no limit")
	return cmd
}

func (c *watchCmd) do(cmd *cobra.Command, args []string) error {
	if _, err := c.getSchema(cmd.Context(), args[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	w := &watcher{watchCmd: c, out: cmd.OutOrStdout(), name: args[0], live: c.terminal(cmd.OutOrStdout()), logs: map[string]*logReader{}}
	// Logs are read on after the wait is over.
	w.read = func(pod *corev1.Pod, r *logReader) error { return w.readLog(ctx, pod, r) }
	err := c.wait(ctx, c.timeout, w.look)
	w.close(cancel)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return tookTooLong(c.timeout, w.last)
	case err != nil:
		return err
	case w.stalled:
		return &exit.Error{Code: result.ExitPermanent}
	}
	return nil
}

// watcher is what has been told of a schema so far.
type watcher struct {
	*watchCmd
	out  io.Writer
	name string
	live bool
	read func(pod *corev1.Pod, r *logReader) error

	last, pods string // what the last lines said
	stalled    bool

	// state is that which would end the watch if it stayed, and since when it is.
	state string
	since time.Time

	// past is the attempt that was over when the watch began.
	past *int64

	mu    sync.Mutex // guards what follows, which the readers of logs write
	logs  map[string]*logReader
	drawn int // lines of the block that is redrawn
	block []string
	group sync.WaitGroup
}

// look tells what has changed, and reports whether there is nothing to wait for.
func (w *watcher) look(ctx context.Context) (bool, error) {
	schema, err := w.getSchema(ctx, w.name)
	if err != nil {
		return false, err
	}
	v, err := w.view(ctx, schema)
	if err != nil {
		return false, err
	}
	job, pod := v.job()
	attempt := schema.Status.Attempt
	if w.past == nil {
		w.past = new(int64(-1))
		if attempt.State != v1alpha1.AttemptPending {
			w.past = &attempt.Number
		}
	}
	if pod != nil && hasStarted(pod) && attempt.Number != *w.past {
		w.follow(pod)
	}
	old := w.outdated(v)
	w.tell(v, old)
	stalled := v.condition(v1alpha1.ConditionStalled).Status == metav1.ConditionTrue
	if !old && (stalled || v.condition(v1alpha1.ConditionReady).Status == metav1.ConditionTrue) {
		w.stalled = stalled
		return true, nil
	}
	if w.live {
		w.redraw(v.blockOf(w.reader(pod), job != nil))
	}
	return false, nil
}

// outdated reports whether the conditions are still those of before the last change:
// of the spec, of an annotation, or of the pods.
func (w *watcher) outdated(v *view) bool {
	stalled, attempt := v.condition(v1alpha1.ConditionStalled), v.schema.Status.Attempt
	switch {
	case !observed(v.schema):
		return true
	case stalled.Status == metav1.ConditionTrue && attempt.State == v1alpha1.AttemptFailed && attempt.Reason == stalled.Reason:
		return unanswered(v.schema)
	case stalled.Status == metav1.ConditionTrue:
		// A backup is begun at once, and what it is asked for by is answered only after
		// it. To anything else that stalls, no annotation is the answer.
		return unanswered(v.schema) && !w.stays(stalled.Message)
	case v.condition(v1alpha1.ConditionReady).Status == metav1.ConditionTrue:
		return unanswered(v.schema) || v.unseen() && !w.unmoved(v)
	}
	return false
}

// unmoved reports whether the operator has counted the pods that wait and stays with
// what it says: one of another version does not know what this program does.
func (w *watcher) unmoved(v *view) bool {
	waiting, _ := v.gated()
	if int(ptr.Deref(v.schema.Status.WaitingPods, 0)) != len(waiting) {
		w.state = ""
		return false
	}
	return w.stays(v.waitText(waiting))
}

// stays reports whether something was so for longer than an operator takes that runs.
func (w *watcher) stays(state string) bool {
	if state != w.state {
		w.state, w.since = state, w.now()
	}
	return w.now().Sub(w.since) >= reactionTime
}

// reactionTime is how long an operator takes at most to begin with something. Another
// replica takes over in half of it.
const reactionTime = 10 * time.Second

// unanswered reports whether somebody asks for another attempt, or for a look, and the
// operator has not begun with it. Values of which the status has a digest only count
// as answered: nobody sets one who watches.
func unanswered(schema *v1alpha1.DatabaseSchema) bool {
	asked := func(annotation, last string) bool {
		value := schema.Annotations[annotation]
		return value != "" && value != last && len(value) <= plan.MaxHandled
	}
	return asked(v1alpha1.AnnotationRetry, schema.Status.LastHandledRetry) || asked(v1alpha1.AnnotationVerify, schema.Status.LastHandledVerify)
}

// unseen reports whether a pod waits that the status does not serve and that would
// change what the operator says: it has not seen that pod. Pods that are replaced, and
// those of a release that is not the target, may wait for as long as they like.
func (v *view) unseen() bool {
	serves := v.schema.Status.Serves
	waiting, _ := v.gated()
	return !v.unsure && slices.ContainsFunc(waiting, func(pod corev1.Pod) bool {
		version, _, err := v.resolve(&pod)
		return err == nil && !v.replaced.Has(&pod) && (version < int(serves.From) || version > int(serves.To))
	}) && v.decide("").Verdict != plan.Ready
}

// tell writes what has changed since it was told last.
func (w *watcher) tell(v *view, old bool) {
	ready := v.condition(v1alpha1.ConditionReady)
	text := strings.TrimSuffix(ready.Reason+": "+ready.Message, ": ")
	if old {
		text = "waits for the operator to see the last change"
	}
	if text != w.last {
		w.last = text
		w.line(text)
	}
	waiting, _ := v.gated()
	if pods := v.waitText(waiting); pods != w.pods {
		w.pods = pods
		if pods != "" && !w.live {
			w.line(pods)
		}
	}
}

// waitText names the pods that wait.
func (v *view) waitText(waiting []corev1.Pod) string {
	if len(waiting) == 0 {
		return ""
	}
	var names []string
	for i := range waiting {
		if i == briefly {
			names = append(names, fmt.Sprintf("and %d more", len(waiting)-i))
			break
		}
		names = append(names, strings.TrimSuffix(waiting[i].Name+" needs "+v.needOf(&waiting[i]), " needs "))
	}
	return counted(len(waiting), "pod") + " waiting: " + strings.Join(names, ", ")
}

// blockOf is what is drawn below the lines.
func (v *view) blockOf(r *logReader, migrating bool) []string {
	var block []string
	if migrating && v.schema.Status.Attempt.State == v1alpha1.AttemptPending {
		bar := ""
		if r != nil {
			bar = r.progress.bar()
		}
		if start := v.schema.Status.Attempt.StartTime; start != nil {
			bar = strings.TrimPrefix(bar+", "+span(v.now.Sub(start.Time)), ", ")
		}
		block = append(block, bar)
	}
	waiting, _ := v.gated()
	if text := v.waitText(waiting); text != "" {
		block = append(block, text)
	}
	return block
}

func hasStarted(pod *corev1.Pod) bool {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == migrationjob.Container && (status.State.Running != nil || status.State.Terminated != nil) {
			return true
		}
	}
	return false
}

// logReader follows the log of one pod.
type logReader struct {
	progress progress
	lines    int  // how many were read
	open     bool // somebody reads it
	ended    bool // to its end
}

func (w *watcher) reader(pod *corev1.Pod) *logReader {
	if pod == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.logs[string(pod.UID)]; r != nil {
		shown := *r
		return &shown
	}
	return nil
}

// follow reads the log of a pod, from where it broke off.
func (w *watcher) follow(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.logs[string(pod.UID)]
	if r == nil {
		r = &logReader{}
		w.logs[string(pod.UID)] = r
	}
	if r.open || r.ended {
		return
	}
	r.open = true
	w.group.Go(func() {
		err := w.read(pod, r)
		w.mu.Lock()
		defer w.mu.Unlock()
		r.open, r.ended = false, err == nil
	})
}

func (w *watcher) readLog(ctx context.Context, pod *corev1.Pod, r *logReader) error {
	stream, err := w.clientset.CoreV1().Pods(pod.Namespace).
		GetLogs(pod.Name, &corev1.PodLogOptions{Container: migrationjob.Container, Follow: true}).Stream(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	scanner := bufio.NewScanner(stream)
	for number := 1; scanner.Scan(); number++ {
		w.readLine(r, number, scanner.Text())
	}
	return scanner.Err()
}

// readLine takes up a line that was not read before the stream broke off.
func (w *watcher) readLine(r *logReader, number int, text string) {
	w.mu.Lock()
	if number <= r.lines {
		w.mu.Unlock()
		return
	}
	r.lines = number
	told := r.progress.read(text)
	w.mu.Unlock()
	if told != "" {
		w.line(told)
	}
}

// line writes a line above the block.
func (w *watcher) line(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.erase()
	printf(w.out, "%s\n", text)
	w.draw()
}

// redraw replaces the block.
func (w *watcher) redraw(block []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.erase()
	w.block = block
	w.draw()
}

func (w *watcher) erase() {
	if w.drawn > 0 {
		printf(w.out, "\x1b[%dA\x1b[J", w.drawn)
		w.drawn = 0
	}
}

func (w *watcher) draw() {
	for _, text := range w.block {
		printf(w.out, "%s\n", cut(text, w.width()-1))
	}
	w.drawn = len(w.block)
}

// width of the terminal. A longer line would be wrapped, and not be erased whole.
func (w *watcher) width() int {
	const usual = 80
	if file, ok := w.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 1 {
			return width
		}
	}
	return usual
}

// close waits for what is left of the logs, which may be behind the status, and
// takes the block away.
func (w *watcher) close(cancel context.CancelFunc) {
	ended := make(chan struct{})
	go func() {
		w.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(logGrace):
	}
	cancel()
	<-ended
	w.redraw(nil)
}

// logGrace is how long the end of a log is waited for.
const logGrace = 3 * time.Second
