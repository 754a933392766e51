package pyjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// half is the half surrogate \ud800, as strings hold it.
const half = "\xed\xa0\x80"

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want Value
	}{
		"null":                      {"null", nil},
		"white space":               {" \t\r\n true \n", true},
		"false":                     {"false", false},
		"integer":                   {"12345678901234567890123", Int("12345678901234567890123")},
		"negative integer":          {"-7", Int("-7")},
		"zero has no sign":          {"-0", Int("0")},
		"float":                     {"-0.50", -0.5},
		"float without a point":     {"1E2", 100.0},
		"signed exponent":           {"1.5e+2", 150.0},
		"too large":                 {"1e400", math.Inf(1)},
		"too small":                 {"-1e400", math.Inf(-1)},
		"too precise":               {"1.00000000000000000000001", 1.0},
		"no number":                 {"NaN", math.NaN()},
		"infinity":                  {"[Infinity, -Infinity]", []Value{math.Inf(1), math.Inf(-1)}},
		"as many digits as can be":  {strings.Repeat("9", maxDigits), Int(strings.Repeat("9", maxDigits))},
		"sign is no digit":          {"-" + strings.Repeat("9", maxDigits), Int("-" + strings.Repeat("9", maxDigits))},
		"long fraction":             {"0." + strings.Repeat("0", 2*maxDigits), 0.0},
		"escapes":                   {`"\"\\\/\b\f\n\r\t\u00e4\u00C4\u0000"`, "\"\\/\b\f\n\r\täÄ\x00"},
		"plain":                     {"\"ä\U0001f600\x7f\ufeff\"", "ä\U0001f600\x7f\ufeff"},
		"pair":                      {`"\ud83d\uDE00"`, "\U0001f600"},
		"half":                      {`"\ud800"`, half},
		"half and text":             {`"\ud800a"`, half + "a"},
		"two first halves":          {`"\ud800\ud83d\ude00"`, half + "\U0001f600"},
		"halves the wrong way":      {`"\udc00\ud800"`, "\xed\xb0\x80" + half},
		"half and another escape":   {`"\ud800\n"`, half + "\n"},
		"half and a plain code":     {`"\ud800\u0041"`, half + "A"},
		"half at the very end":      {`"\udfff"`, "\xed\xbf\xbf"},
		"empty list":                {"[ ]", []Value{}},
		"empty object":              {"{\n}", &Object{}},
		"list":                      {"[1 , [2],\"\"]", []Value{Int("1"), []Value{Int("2")}, ""}},
		"object":                    {`{ "b" : 1 , "a":{}}`, NewObject("b", Int("1"), "a", &Object{})},
		"the last of equal names":   {`{"a":1,"b":2,"a":3}`, NewObject("a", Int("3"), "b", Int("2"))},
		"names equal when read":     {`{"\u0061":1,"a":2}`, NewObject("a", Int("2"))},
		"as deep as it goes":        {strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), nested(MaxDepth)},
		"depth is not a count":      {"[" + strings.Repeat("[],", MaxDepth) + "[]]", siblings(MaxDepth + 1)},
		"literal surrogates' noise": {`"\uD83D\\uDE00"`, "\xed\xa0\xbd\\uDE00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if !Equal(got, tt.want) {
				t.Errorf("got %.200s, want %.200s", Encode(got), Encode(tt.want))
			}
			if diff := cmp.Diff(names(tt.want), names(got)); diff != "" {
				t.Errorf("order of names (-want +got):\n%s", diff)
			}
			again, err := Decode(Encode(got))
			if err != nil || !Equal(again, got) {
				t.Errorf("after a round trip it is %.200v: %v", again, err)
			}
		})
	}
}

func names(v Value) []string {
	if o, ok := v.(*Object); ok {
		return append([]string{}, o.Names()...)
	}
	return nil
}

func nested(depth int) Value {
	v := []Value{}
	for range depth - 1 {
		v = []Value{v}
	}
	return v
}

func siblings(n int) Value {
	list := make([]Value, n)
	for i := range list {
		list[i] = []Value{}
	}
	return list
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text   string
		want   string
		offset int
	}{
		"nothing":               {"", problemValue, 0},
		"white space":           {"  ", problemValue, 2},
		"other white space":     {"\u00a01", problemValue, 0},
		"vertical tab":          {"1\v", problemRest, 1},
		"byte order mark":       {"\ufeff{}", problemByteOrder, 0},
		"not UTF-8":             {"\"\xff\"", problemUTF8, 0},
		"literal surrogate":     {"\"" + half + "\"", problemUTF8, 0},
		"word":                  {"nul", problemValue, 0},
		"word in capitals":      {"True", problemValue, 0},
		"two values":            {"1 2", problemRest, 2},
		"leading zero":          {"01", problemRest, 1},
		"plus":                  {"+1", problemValue, 0},
		"minus":                 {"-", problemValue, 0},
		"negative NaN":          {"-NaN", problemValue, 0},
		"point at the end":      {"1.", problemRest, 1},
		"point at the start":    {".5", problemValue, 0},
		"no exponent":           {"1e", problemRest, 1},
		"no digits of it":       {"[1e+]", problemComma, 2},
		"other digits":          {"٣", problemValue, 0},
		"too many digits":       {strings.Repeat("9", maxDigits+1), problemDigits, maxDigits + 1},
		"string without end":    {`"abc`, problemString, 4},
		"escape without end":    {`"abc\`, problemEscape, 5},
		"unknown escape":        {`"\x41"`, problemEscape, 2},
		"capital U":             {`"\U0041"`, problemEscape, 2},
		"short escape":          {`"\u004"`, problemEscape, 2},
		"signed escape":         {`"\u+041"`, problemEscape, 2},
		"second escape broken":  {`"\ud800\u00"`, problemEscape, 8},
		"line break in string":  {"\"a\nb\"", problemControl, 2},
		"zero in string":        {"\"\x00\"", problemControl, 1},
		"single quotes":         {"{'a':1}", problemName, 1},
		"comma at the end":      {"[1,]", problemValue, 3},
		"comma at object's end": {`{"a":1,}`, problemName, 7},
		"comma at the start":    {"[,1]", problemValue, 1},
		"no comma":              {"[1 2]", problemComma, 3},
		"no comma in object":    {`{"a":1 "b":2}`, problemComma, 7},
		"no colon":              {`{"a" 1}`, problemColon, 5},
		"name is a number":      {`{1:2}`, problemName, 1},
		"list without end":      {"[1", problemComma, 2},
		"object without end":    {"{", problemName, 1},
		"comment":               {"1 // one", problemRest, 2},
		"too deep":              {strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), problemDepth, MaxDepth + 1},
		"objects too deep":      {strings.Repeat(`{"":`, 1e6), problemDepth, 4*MaxDepth + 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := Decode(tt.text)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Decode() = %.100v, %v, want a syntax error", v, err)
			}
			if diff := cmp.Diff(SyntaxError{Offset: tt.offset, Problem: tt.want}, *syntax); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEncode has texts as Python 3.11 writes them.
func TestEncode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		value Value
		want  string
	}{
		"all kinds":  {NewObject("b", []Value{nil, true, false, Int("-12")}, "a", &Object{}, "c", []Value{}), `{"b": [null, true, false, -12], "a": {}, "c": []}`},
		"non-finite": {[]Value{math.NaN(), math.Inf(1), math.Inf(-1)}, `[NaN, Infinity, -Infinity]`},
		"floats": {
			[]Value{0.0, math.Copysign(0, -1), 1.0, 0.1, 1e15, 123456789012345680.0, 1e16, 1e22, 1.5e300, 0.0001, 0.00001, -2.5e-7, 5e-324},
			`[0.0, -0.0, 1.0, 0.1, 1000000000000000.0, 1.2345678901234568e+17, 1e+16, 1e+22, 1.5e+300, 0.0001, 1e-05, -2.5e-07, 5e-324]`,
		},
		"escapes":    {"\"\\/\b\f\n\r\t\x00\x1f~\x7f", `"\"\\/\b\f\n\r\t\u0000\u001f~\u007f"`},
		"not ASCII":  {"ä\u2028\U0001f600", `"\u00e4\u2028\ud83d\ude00"`},
		"half":       {"a" + half + "b\xed\xbf\xbf", `"a\ud800b\udfff"`},
		"not UTF-8":  {"\xff", `"\ufffd"`},
		"name":       {NewObject("\"", Int("1")), `{"\"": 1}`},
		"just a cut": {half[:2], `"\ufffd\ufffd"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Encode(tt.value)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]func(){
		"value":        func() { Encode(7) },
		"name":         func() { NewObject(nil, nil) },
		"missing part": func() { NewObject("a") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			fn()
		}()
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	equal := [][2]string{{"null", "null"}, {"NaN", "NaN"}, {"0.0", "-0.0"}, {`{"a":1,"b":[2]}`, `{"b":[2],"a":1}`}, {"1e2", "100.0"}}
	different := [][2]string{
		{"null", "false"},
		{"0", "false"},
		{"1", "1.0"},
		{"1", `"1"`},
		{"1", "2"},
		{"1.0", "2.0"},
		{"NaN", "1.0"},
		{`"a"`, `"b"`},
		{"[1,2]", "[2,1]"},
		{"[1]", "[1,1]"},
		{"[]", "{}"},
		{"{}", "[]"},
		{"{}", "null"},
		{"null", "[]"},
		{`""`, "[]"},
		{`{"a":1}`, `{"a":1,"b":2}`},
		{`{"a":1}`, `{"b":1}`},
		{`{"a":null}`, `{"b":null}`},
		{`{"a":1}`, `{"a":2}`},
	}
	for _, pair := range equal {
		if a, b := decode(t, pair[0]), decode(t, pair[1]); !Equal(a, b) || !Equal(b, a) {
			t.Errorf("%s and %s are not equal", pair[0], pair[1])
		}
	}
	for _, pair := range different {
		if a, b := decode(t, pair[0]), decode(t, pair[1]); Equal(a, b) || Equal(b, a) {
			t.Errorf("%s and %s are equal", pair[0], pair[1])
		}
	}
}

func decode(t *testing.T, text string) Value {
	t.Helper()
	v, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestIsFinite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"a":[1,2.5,"NaN",null,true]}`: true, "NaN": false, `{"a":[{"b":Infinity}]}`: false, "-1e999": false, "[]": true,
	} {
		if got := IsFinite(decode(t, text)); got != want {
			t.Errorf("IsFinite(%s) = %t, want %t", text, got, want)
		}
	}
}

func TestIsText(t *testing.T) {
	t.Parallel()
	if !IsText("ä\x00\U0001f600") || IsText("a"+half) {
		t.Error("half surrogates are not told apart from text")
	}
}

var seeds = []string{
	`{"a": [1, -2.5e3, "\u00e4\ud800\udc00", null, true, false], "a": {}}`, "NaN", "[-Infinity,1e999]", `"\ud800x"`, "\ufeff1", "01",
	"1.e", "\"\x7f\x1f\"", "[[[[]]]]", `{"a":{"b":{"c":[]}}}`, "-0", "1E-7", "123456789012345678901234567890", `"\u12G4"`, "[1,]", " \n",
}

// FuzzDecode: nothing makes Decode panic, what it reads survives a round trip,
// and Encode is stable.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode(text)
		if err != nil {
			return
		}
		encoded := Encode(v)
		again, err := Decode(encoded)
		if err != nil || !Equal(v, again) {
			t.Fatalf("%q becomes %q, which is read as %v, %v", text, encoded, again, err)
		}
		if twice := Encode(again); twice != encoded {
			t.Fatalf("%q becomes %q and then %q", text, encoded, twice)
		}
	})
}

// FuzzAgreesWithStandard: what the standard library takes for JSON is read here
// as the same value, and what is read here and is finite is JSON.
func FuzzAgreesWithStandard(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode(text)
		if valid := json.Valid([]byte(text)); err == nil && !valid && IsFinite(v) {
			t.Fatalf("%q is not JSON but read", text)
		} else if !valid || err != nil {
			if valid && !stricter(err) {
				t.Fatalf("%q is JSON but refused: %v", text, err)
			}
			return
		}
		if !IsFinite(v) {
			return
		}
		var want any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(fmt.Sprint(want), '\ufffd') {
			return // the standard library replaces half surrogates
		}
		if diff := cmp.Diff(want, standard(v), cmp.Comparer(sameNumber)); diff != "" {
			t.Fatalf("%q (-standard library +here):\n%s", text, diff)
		}
	})
}

// stricter reports errors for what the standard library accepts.
func stricter(err error) bool {
	var syntax *SyntaxError
	return errors.As(err, &syntax) && slices.Contains([]string{problemUTF8, problemDepth, problemDigits}, syntax.Problem)
}

func sameNumber(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y || a == b
}

// standard turns a value into what encoding/json makes of the same text.
func standard(v Value) any {
	switch v := v.(type) {
	case Int:
		return json.Number(v)
	case float64:
		return json.Number(FormatFloat(v))
	case []Value:
		list := make([]any, len(v))
		for i := range v {
			list[i] = standard(v[i])
		}
		return list
	case *Object:
		object := make(map[string]any, v.Len())
		for _, name := range v.Names() {
			member, _ := v.Get(name)
			object[name] = standard(member)
		}
		return object
	default:
		return v
	}
}
