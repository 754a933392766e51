package kubectl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/cmd/exit"
)

// fieldOwner owns the fields that these commands write.
const fieldOwner = PluginName

// errDeclined is a question that was answered with no.
var errDeclined = errors.New("not confirmed; nothing was changed")

// confirm asks a person. Where there is none to ask, the flag has to have said so.
func (s *session) confirm(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	in := cmd.InOrStdin()
	if !s.terminal(in) {
		return exit.Usage(errors.New("the input is no terminal to ask on: pass --yes to go on without a question"))
	}
	printf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		printf(cmd.ErrOrStderr(), "\n")
	}
	return refused(errDeclined)
}

// mergePatch changes fields of a schema and leaves all others alone.
func (s *session) mergePatch(ctx context.Context, schema *v1alpha1.DatabaseSchema, patch any) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encoding the patch: %w", err)
	}
	return s.client.Patch(ctx, schema, client.RawPatch(types.MergePatchType, body), client.FieldOwner(fieldOwner))
}

// annotate sets an annotation of a schema.
func (s *session) annotate(ctx context.Context, schema *v1alpha1.DatabaseSchema, key, value string) error {
	return s.mergePatch(ctx, schema, map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
}

// mark is a value for an annotation that nobody has set before.
func (s *session) mark() string { return s.now().UTC().Format(time.RFC3339Nano) }

// wait calls done until it returns true, an error or the time is over. What the
// API server does not answer at the moment is asked for again.
func (s *session) wait(ctx context.Context, timeout time.Duration, done func(context.Context) (bool, error)) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	ticker := time.NewTicker(s.poll)
	defer ticker.Stop()
	for {
		over, err := done(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if over || err != nil && !isTransient(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func isTransient(err error) bool {
	return exit.Code(explain(err)) == exit.Code(transient(nil))
}

// tookTooLong is a wait that --timeout has ended.
func tookTooLong(timeout time.Duration, last string) error {
	return transient(fmt.Errorf("not within --timeout %s; last: %s", timeout, last))
}
