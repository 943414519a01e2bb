package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNeverShown(t *testing.T) {
	s := Secret("hush-1234")
	in := struct {
		Token Secret
		Map   map[string]Secret
		Slice []Secret
		Ptr   *Secret
	}{s, map[string]Secret{"k": s}, []Secret{s}, &s}
	var text, jsonLines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "a", s, "b", in, "c", &s, slog.Group("g", "d", s))
	slog.New(slog.NewJSONHandler(&jsonLines, nil)).Info("m", "a", s, "b", in, "c", &s, slog.Group("g", "d", s))
	encoded, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got string }{
		{"LOG-2 %v", fmt.Sprintf("%v %v", s, in)},
		{"LOG-2 %+v", fmt.Sprintf("%+v %+v", s, in)},
		{"LOG-2 %#v", fmt.Sprintf("%#v %#v", s, in)},
		{"LOG-2 %s", fmt.Sprintf("%s %s", s, in)},
		{"LOG-2 %q", fmt.Sprintf("%q %q", s, in)},
		{"LOG-2 %x", fmt.Sprintf("%x %X", s, s)},
		{"LOG-2 %d", fmt.Sprintf("%d", s)},
		{"LOG-2 width and precision", fmt.Sprintf("%40.40s", s)},
		{"LOG-2 Sprint", fmt.Sprint(s) + fmt.Sprintln(in)},
		{"LOG-2 in an error", errors.Join(fmt.Errorf("x: %v", s)).Error()},
		{"LOG-2 String", s.String() + s.GoString()},
		{"LOG-2 JSON", string(encoded)},
		{"LOG-2 slog text", text.String()},
		{"LOG-2 slog JSON", jsonLines.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.got, "hush") || strings.Contains(strings.ToLower(tt.got), "68757368") || !strings.Contains(tt.got, "redacted") {
				t.Errorf("shows %q", tt.got)
			}
		})
	}
	if s.Reveal() != "hush-1234" {
		t.Errorf("Reveal = %q", s.Reveal())
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b Secret
		want bool
	}{
		{"KEY-2 same", "abc", "abc", true},
		{"KEY-2 empty", "", "", true},
		{"KEY-2 last byte", "abc", "abd", false},
		{"KEY-2 prefix", "abc", "ab", false},
		{"KEY-2 longer", "abc", "abcd", false},
		{"KEY-2 case", "abc", "ABC", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Equal(tt.b); got != tt.want {
				t.Errorf("Equal = %v", got)
			}
		})
	}
}
