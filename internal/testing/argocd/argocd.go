// Package argocd runs the scripts for Argo CD as Argo CD runs them: in a Lua VM
// with the libraries base, package and table, a safe part of os, and one second.
// The VM was written after util/lua/lua.go and util/lua/oslib_safe.go of Argo CD
// 3.5; its own module needs too much to be a dependency.
package argocd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// timeout is what Argo CD gives a script.
const timeout = time.Second

// Health is what a health script returns.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// statuses are those that Argo CD accepts.
var statuses = []string{"Healthy", "Suspended", "Progressing", "Degraded", "Missing", "Unknown"}

// Scripts is a directory in the layout of Argo CD's resource_customizations, of one
// kind.
type Scripts string

// Health runs health.lua.
func (s Scripts) Health(ctx context.Context, obj *unstructured.Unstructured) (Health, error) {
	var health Health
	if err := s.run(ctx, "health.lua", obj, &health); err != nil {
		return health, err
	}
	if !slices.Contains(statuses, health.Status) {
		return health, fmt.Errorf("health.lua returns the status %q", health.Status)
	}
	return health, nil
}

// Action is an action that discovery.lua offers.
type Action struct {
	Name        string `json:"name"`
	Disabled    bool   `json:"disabled"`
	IconClass   string `json:"iconClass"`
	DisplayName string `json:"displayName"`
}

// Actions runs discovery.lua and returns what it offers, by name.
func (s Scripts) Actions(ctx context.Context, obj *unstructured.Unstructured) ([]Action, error) {
	var found map[string]Action
	if err := s.run(ctx, filepath.Join("actions", "discovery.lua"), obj, &found); err != nil {
		return nil, err
	}
	var actions []Action
	for _, name := range slices.Sorted(maps.Keys(found)) {
		action := found[name]
		action.Name = name
		actions = append(actions, action)
	}
	return actions, nil
}

// Act runs an action, and returns the object as Argo CD would patch it.
func (s Scripts) Act(ctx context.Context, name string, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := map[string]any{}
	if err := s.run(ctx, filepath.Join("actions", name, "action.lua"), obj, &out); err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: restoreEmpty(out, obj.Object)}, nil
}

// restoreEmpty puts back the empty maps of an object: to Lua they are lists.
func restoreEmpty(now, before map[string]any) map[string]any {
	for key, old := range before {
		if value, ok := now[key]; ok {
			now[key] = restored(value, old)
		}
	}
	return now
}

func restored(now, before any) any {
	switch value := now.(type) {
	case map[string]any:
		if before, ok := before.(map[string]any); ok {
			return restoreEmpty(value, before)
		}
	case []any:
		switch before := before.(type) {
		case map[string]any:
			if len(value) == 0 {
				return maps.Clone(before)
			}
		case []any:
			for i := range min(len(value), len(before)) {
				value[i] = restored(value[i], before[i])
			}
		}
	}
	return now
}

func (s Scripts) run(ctx context.Context, file string, obj *unstructured.Unstructured, into any) error {
	script, err := os.ReadFile(filepath.Join(string(s), file))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.OsLibName, openSafeOS},
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return err
		}
	}
	l.PreloadModule(lua.OsLibName, loadSafeOS)
	l.SetContext(ctx)
	l.SetGlobal("actionParams", l.NewTable())
	l.SetGlobal("obj", valueOf(l, obj.Object))
	if err := l.DoString(string(script)); err != nil {
		// What people see of an error has no trace of the stack.
		if failed, ok := errors.AsType[*lua.ApiError](err); ok && failed.Type == lua.ApiErrorRun {
			failed.StackTrace = ""
			return failed
		}
		return fmt.Errorf("%s: %w", file, err)
	}
	result := l.Get(-1)
	if result.Type() != lua.LTTable {
		return fmt.Errorf("%s returns a %s, want a table", file, result.Type())
	}
	text, err := luajson.Encode(result)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return json.Unmarshal(text, into)
}

// valueOf turns what is decoded from JSON into a value of Lua's.
func valueOf(l *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := l.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(valueOf(l, item))
		}
		return list
	case map[string]any:
		table := l.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, valueOf(l, item))
		}
		return table
	}
	return lua.LNil
}

// openSafeOS and loadSafeOS provide time and date of the library os, and no more.
// The first one adds them to the library table, as Argo CD does: a script that does
// not require os has no variable of that name.
func openSafeOS(l *lua.LState) int {
	l.Push(l.RegisterModule(lua.TabLibName, safeOS))
	return 1
}

func loadSafeOS(l *lua.LState) int {
	l.Push(l.SetFuncs(l.NewTable(), safeOS))
	return 1
}

var safeOS = map[string]lua.LGFunction{
	"time": func(l *lua.LState) int {
		l.Push(lua.LNumber(time.Now().Unix()))
		return 1
	},
	// The formats that the scripts use, and no others.
	"date": func(l *lua.LState) int {
		if format := l.CheckString(1); format != "!%Y-%m-%dT%XZ" {
			l.ArgError(1, "the format "+format+" is not known here")
		}
		l.Push(lua.LString(time.Now().UTC().Format(time.RFC3339)))
		return 1
	},
}
