package headers

import "testing"

// TestEncodeTellsNamesApart: no two names become one, also where one of them is
// written like the encoding of the other (HDR-9).
func TestEncodeTellsNamesApart(t *testing.T) {
	seen := map[string]string{}
	for _, tt := range []struct{ name, want string }{
		{"jörg", "j%C3%B6rg"},
		{"j%C3%B6rg", "j%25C3%25B6rg"},
		{"j%c3%b6rg", "j%25c3%25b6rg"},
		{"100%", "100%"},
		{"100% sure", "100% sure"},
		{"a%4", "a%4"},
		{"a%zz", "a%zz"},
		{" a", "%20a"},
		{"%20a", "%2520a"},
	} {
		got := encode(tt.name)
		if got != tt.want {
			t.Errorf("%q is sent as %q, want %q", tt.name, got, tt.want)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q are both sent as %q", tt.name, other, got)
		}
		seen[got] = tt.name
	}
}
