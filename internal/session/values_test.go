package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValuesOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		line string
		want []string
	}{
		{"one", "n=1", []string{"1"}},
		{"COOK-4 several", "n=1; n=2;n=3", []string{"1", "2", "3"}},
		{"empty value", "n=; a=1", []string{""}},
		{"COOK-3 only whole names", "xn=1; n2=2; n =3; N=4; n", nil},
		{"COOK-3 the name in a value", "a=n=1; n=2", []string{"2"}},
		{"equals signs in the value", "n=a=b==", []string{"a=b=="}},
		{"spaces in the value stay", "n= 1 ", []string{" 1 "}},
		{"COOK-2 a comma separates nothing", "a=1, n=2,n=3; n=4,n=5", []string{"4,n=5"}},
		{"quotes mean nothing", `a="x; n=1"; n="2"`, []string{`1"`, `"2"`}},
		{"COOK-3 a space of Unicode is no space", "\u2000n=1; \u00a0n=2", nil},
		{"no separator", "a=1 n=2", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, slices.Collect(values(tt.line, "n"))); diff != "" {
				t.Errorf("values(%q) (-want +got)\n%s", tt.line, diff)
			}
		})
	}
	t.Run("it stops when told", func(t *testing.T) {
		n := 0
		for range values("n=1; n=2; n=3", "n") {
			if n++; n == 2 {
				break
			}
		}
		if n != 2 {
			t.Errorf("%d values", n)
		}
	})
}

// slowValues is values by cutting the line into pieces.
func slowValues(line, name string) []string {
	var found []string
	for part := range strings.SplitSeq(line, ";") {
		if value, ok := strings.CutPrefix(strings.TrimLeft(part, " \t"), name+"="); ok {
			found = append(found, value)
		}
	}
	return found
}

func FuzzCookieLine(f *testing.F) {
	for _, seed := range []string{"n=1", "a=1; n=2", "a=1,n=2; n=3", "n=n=n=;n=", "nn=1;n", " \tn=1", ";;,,n=", "n=1,n=2;\tn=3", "nnn=1;nnn=2"} {
		f.Add(seed, "n")
	}
	f.Add("__Host-doorward=x; a__Host-doorward=y", "__Host-doorward")
	f.Add("aab=1;ab=2,aaab=3", "aab")
	f.Fuzz(func(t *testing.T, line, name string) {
		if name == "" || strings.ContainsAny(name, " \t;,=") {
			return // no name of a cookie
		}
		if got, want := slices.Collect(values(line, name)), slowValues(line, name); !slices.Equal(got, want) {
			t.Errorf("values(%q, %q) = %q, want %q", line, name, got, want)
		}
	})
}
