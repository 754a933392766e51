package openwebui

import (
	"regexp"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
)

// The patterns are those by which the application reads a model file of Ollama.
// They are no parser of that language: a keyword is found in the middle of a
// text as well, and a model's name ends at the first character that is neither
// letter nor digit. What they make of a file is what its users have seen since,
// so it is kept.
var (
	fromPattern        = pattern(`(?m)^FROM\s+(\w+)`)
	templatePattern    = pattern(`(?s)TEMPLATE\s+"""(.+?)"""`)
	stopPattern        = pattern(`PARAMETER stop "(.*?)"`)
	adapterPattern     = pattern(`ADAPTER (.+)`)
	systemBlockPattern = pattern(`(?s)SYSTEM\s+"""(.+?)"""`)
	systemLinePattern  = pattern(`SYSTEM\s+([^\n]+)`)
	messagePattern     = pattern(`MESSAGE (\w+) (.+)`)
)

// parameter is a parameter of a model file that has one value.
type parameter struct {
	name  string
	parse func(string) (value pyjson.Value, ok bool)
}

var parameters = []parameter{
	{"mirostat", parseInt},
	{"mirostat_eta", parseFloat},
	{"mirostat_tau", parseFloat},
	{"num_ctx", parseInt},
	{"repeat_last_n", parseInt},
	{"repeat_penalty", parseFloat},
	{"temperature", parseFloat},
	{"seed", parseInt},
	{"tfs_z", parseFloat},
	{"num_predict", parseInt},
	{"top_k", parseInt},
	{"top_p", parseFloat},
	{"num_keep", parseInt},
	{"presence_penalty", parseFloat},
	{"frequency_penalty", parseFloat},
	{"use_mmap", parseBool},
	{"use_mlock", parseBool},
	{"num_batch", parseInt},
	{"num_gpu", parseInt},
	{"num_thread", parseInt},
}

// parameterPatterns are those of the parameters by name.
var parameterPatterns = func() map[string]*regexp.Regexp {
	patterns := make(map[string]*regexp.Regexp, len(parameters))
	for _, p := range parameters {
		patterns[p.name] = pattern(`PARAMETER ` + anyCase(p.name) + ` (.+)`)
	}
	return patterns
}()

// first returns what the group of a pattern matches first.
func first(p *regexp.Regexp, text string) (string, bool) {
	match := p.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	return match[1], true
}

// parseBool takes everything for false that is not the word true alone; a blank
// after it makes it false.
func parseBool(text string) (pyjson.Value, bool) { return strings.EqualFold(text, "true"), true }

// scanModelfile returns the name of the base model that a model file names, nil
// if it names none, and the parameters it sets.
func scanModelfile(content string) (base any, params *pyjson.Object) {
	if name, ok := first(fromPattern, content); ok {
		base = name
	}
	params = &pyjson.Object{}
	if block, ok := first(templatePattern, content); ok {
		params.Set("template", strip(block))
	}
	if stops := stopPattern.FindAllStringSubmatch(content, -1); stops != nil {
		list := make([]pyjson.Value, len(stops))
		for i, stop := range stops {
			list[i] = stop[1]
		}
		params.Set("stop", list)
	}
	for _, p := range parameters {
		text, ok := first(parameterPatterns[p.name], content)
		if !ok {
			continue
		}
		if value, ok := p.parse(text); ok {
			params.Set(p.name, value)
		}
	}
	if adapter, ok := first(adapterPattern, content); ok {
		params.Set("adapter", adapter)
	}
	if system, ok := scanSystem(content); ok {
		params.Set("system", strip(system))
	}
	if messages := scanMessages(content); messages != nil {
		params.Set("messages", messages)
	}
	return base, params
}

// scanSystem prefers a block anywhere to a line before it.
func scanSystem(content string) (string, bool) {
	if block, ok := first(systemBlockPattern, content); ok {
		return block, true
	}
	return first(systemLinePattern, content)
}

func scanMessages(content string) []pyjson.Value {
	var messages []pyjson.Value
	for _, match := range messagePattern.FindAllStringSubmatch(content, -1) {
		messages = append(messages, pyjson.NewObject("role", match[1], "content", match[2]))
	}
	return messages
}
