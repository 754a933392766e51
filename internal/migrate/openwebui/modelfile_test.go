package openwebui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
)

// TestScanModelfile has what Python 3.11 makes of the application's patterns.
func TestScanModelfile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content string
		base    any
		params  string // {} if empty
	}{
		"nothing": {content: ""},

		"from":                        {content: "FROM llama3:8b", base: "llama3"},
		"from, other case":            {content: "from\tLlama3", base: "Llama3"},
		"from, not on the first line": {content: "# FROM x\n\nFROM a-b", base: "a"},
		"from, indented":              {content: " FROM a\nxFROM b", base: nil},
		"from, not at a line":         {content: "x\rFROM a", base: nil},
		"from, line ends with CR":     {content: "x\r\nFROM a\r\n", base: "a"},
		"from, on the next line":      {content: "FROM\r\n\u2003\x1ca", base: "a"},
		"from, a path first":          {content: "FROM ./x.gguf\nFROM phi", base: "phi"},
		"from, no name":               {content: "FROM\n", base: nil},
		"from, joined":                {content: "FROMa", base: nil},
		"from, Unicode":               {content: "FROM Märta_名²٣\u0345x", base: "Märta_名²٣"},
		"from, a mark":                {content: "FROM \u0345a", base: nil},
		"from, a half surrogate":      {content: "FROM a\xed\xa0\x80b", base: "a"},

		"template":               {content: "TEMPLATE \"\"\" a\n b \u2003\x1f\"\"\" c \"\"\"", params: `{"template": "a\n b"}`},
		"template, other case":   {content: "Template\n\"\"\"a\"\"\"", params: `{"template": "a"}`},
		"template, no block":     {content: `TEMPLATE a`},
		"template, no white":     {content: `TEMPLATE"""a"""`},
		"template, blank":        {content: `TEMPLATE """ """`, params: `{"template": ""}`},
		"template, quotes in it": {content: `TEMPLATE """a"b""c"""`, params: `{"template": "a\"b\"\"c"}`},
		"template, empty":        {content: `TEMPLATE """"""`},
		"template, not closed":   {content: `TEMPLATE """a""`},

		"stop":              {content: "parameter STOP \"<|im_end|>\"\nPARAMETER stop \"\"\nxPARAMETER stop \"a\" \"b\"", params: `{"stop": ["<|im_end|>", "", "a"]}`},
		"stop, no quotes":   {content: "PARAMETER stop a"},
		"stop, two blanks":  {content: `PARAMETER  stop "a"`},
		"stop, on one line": {content: "PARAMETER stop \"a\nb\""},
		"stop and template": {content: "PARAMETER stop \"a\"\nTEMPLATE \"\"\"b\"\"\"", params: `{"template": "b", "stop": ["a"]}`},
		"stop, ſ for s":     {content: `PARAMETER ſtop "a"`, params: `{"stop": ["a"]}`},

		"all parameters": {
			content: strings.Join([]string{
				"PARAMETER num_thread 1", "PARAMETER mirostat 2", "PARAMETER mirostat_eta 3", "PARAMETER mirostat_tau 4.5", "PARAMETER num_ctx 5",
				"PARAMETER repeat_last_n -6", "PARAMETER repeat_penalty 7", "PARAMETER temperature 8", "PARAMETER seed 9", "PARAMETER tfs_z 10",
				"PARAMETER num_predict 11", "PARAMETER top_k 12", "PARAMETER top_p 13", "PARAMETER num_keep 14", "PARAMETER presence_penalty 15",
				"PARAMETER frequency_penalty 16", "PARAMETER use_mmap true", "PARAMETER use_mlock TRUE", "PARAMETER num_batch 17", "PARAMETER num_gpu 18",
				"PARAMETER unknown 19",
			}, "\n"),
			params: `{"mirostat": 2, "mirostat_eta": 3.0, "mirostat_tau": 4.5, "num_ctx": 5, "repeat_last_n": -6, "repeat_penalty": 7.0,` +
				` "temperature": 8.0, "seed": 9, "tfs_z": 10.0, "num_predict": 11, "top_k": 12, "top_p": 13.0, "num_keep": 14, "presence_penalty": 15.0,` +
				` "frequency_penalty": 16.0, "use_mmap": true, "use_mlock": true, "num_batch": 17, "num_gpu": 18, "num_thread": 1}`,
		},
		"the first line of a parameter": {content: "PARAMETER seed 1\nPARAMETER seed 2", params: `{"seed": 1}`},
		"the first that has a value":    {content: "PARAMETER seed \nPARAMETER seed 2", params: `{"seed": 2}`},
		"the first does not parse":      {content: "PARAMETER seed x\nPARAMETER seed 2"},
		"CR after a number":             {content: "PARAMETER seed 1\r\nPARAMETER top_p .5\r\n", params: `{"seed": 1, "top_p": 0.5}`},
		"CR after a boolean":            {content: "PARAMETER use_mmap true\r\nPARAMETER use_mlock true ", params: `{"use_mmap": false, "use_mlock": false}`},
		"no boolean":                    {content: "PARAMETER use_mmap 1", params: `{"use_mmap": false}`},
		"float for an integer":          {content: "PARAMETER seed 1.0"},
		"dotted and dotless i":          {content: "PARAMETER mıroſtat 1\nPARAMETER num_predİct 2", params: `{"mirostat": 1, "num_predict": 2}`},
		"Kelvin for k":                  {content: "PARAMETER top_\u212a 3", params: `{"top_k": 3}`},

		"adapter":             {content: "ADAPTER ./lora.bin \r\n", params: `{"adapter": "./lora.bin \r"}`},
		"adapter, tab":        {content: "ADAPTER\tx"},
		"adapter, in a word":  {content: "myadapter x y", params: `{"adapter": "x y"}`},
		"system, block":       {content: "SYSTEM one line\nsystem \"\"\"\nYou are Märta.\n\"\"\"", params: `{"system": "You are M\u00e4rta."}`},
		"system, line":        {content: "System \"You are terse.\" \r\nx", params: `{"system": "\"You are terse.\""}`},
		"system, in a text":   {content: "A file system is here", params: `{"system": "is here"}`},
		"system, next line":   {content: "SYSTEM\n\n a b\nc", params: `{"system": "a b"}`},
		"system, half closed": {content: `SYSTEM """a`, params: `{"system": "\"\"\"a"}`},
		"system, blank":       {content: "SYSTEM  \n", params: `{"system": ""}`},
		"messages": {
			content: "MESSAGE user Hi there\nmessage assistant  Hello\r\nMESSAGE user\nMESSAGE ärztin a\nMESSAGE a-b c",
			params:  `{"messages": [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": " Hello\r"}, {"role": "\u00e4rztin", "content": "a"}]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, params := scanModelfile(tt.content)
			if base != tt.base {
				t.Errorf("base model %v, want %v", base, tt.base)
			}
			want := tt.params
			if want == "" {
				want = "{}"
			}
			if diff := cmp.Diff(want, pyjson.Encode(params)); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNumerals has what Python's int and float make of texts.
func TestNumerals(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	tests := map[string]struct{ integer, float string }{
		"5":                             {"5", "5.0"},
		" \t\v\f\r5\u2003\u0085":        {"5", "5.0"},
		"5\x1c":                         {refused, refused},
		"+5":                            {"5", "5.0"},
		"- 5":                           {refused, refused},
		"":                              {refused, refused},
		"007":                           {"7", "7.0"},
		"-0":                            {"0", "-0.0"},
		"-000":                          {"0", "-0.0"},
		"1_000":                         {"1000", "1000.0"},
		"1__0":                          {refused, refused},
		"_1":                            {refused, refused},
		"1_":                            {refused, refused},
		"٣٤":                            {"34", "34.0"},
		"٣.٥":                           {refused, "3.5"},
		"𝟗𝟘𝟶":                           {"900", "900.0"},
		"²":                             {refused, refused},
		"12345678901234567890123":       {"12345678901234567890123", "1.2345678901234568e+22"},
		strings.Repeat("9", 4300):       {strings.Repeat("9", 4300), "Infinity"},
		strings.Repeat("9", 4301):       {refused, "Infinity"},
		strings.Repeat("0", 4300) + "1": {refused, "1.0"},
		"5.":                            {refused, "5.0"},
		".5":                            {refused, "0.5"},
		".":                             {refused, refused},
		"1e5":                           {refused, "100000.0"},
		"1E+0_5":                        {refused, "100000.0"},
		"1_0.5_0e1_0":                   {refused, "105000000000.0"},
		"1._5":                          {refused, refused},
		"1_.5":                          {refused, refused},
		"1e":                            {refused, refused},
		"e5":                            {refused, refused},
		"0x10":                          {refused, refused},
		"1e400":                         {refused, "Infinity"},
		"-1e400":                        {refused, "-Infinity"},
		"1e-400":                        {refused, "0.0"},
		"inf":                           {refused, "Infinity"},
		"-Infinity":                     {refused, "-Infinity"},
		"+NaN":                          {refused, "NaN"},
		"ınf":                           {refused, refused},
		"infinite":                      {refused, refused},
	}
	spell := func(v pyjson.Value, ok bool) string {
		if !ok {
			return refused
		}
		return pyjson.Encode(v)
	}
	for text, want := range tests {
		if got := spell(parseInt(text)); got != want.integer {
			t.Errorf("parseInt(%.20q) = %.20s, want %.20s", text, got, want.integer)
		}
		if got := spell(parseFloat(text)); got != want.float {
			t.Errorf("parseFloat(%.20q) = %.20s, want %.20s", text, got, want.float)
		}
	}
}
