package headers

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

var (
	ada = auth.User{
		Subject: "1", ID: "ada", Email: "ada@example.com", PreferredUsername: "countess", Name: "Ada Lovelace", Groups: []string{"ops", "staff"},
	}
	tokens = auth.Tokens{Access: "at-1", ID: "a.b.c", Refresh: "rt-1"}
)

// pairs are the headers of an identity in their order: name, value, name, value.
func pairs(t *testing.T, id auth.Identity) []string {
	t.Helper()
	var all []string
	for _, h := range id.Headers {
		if len(h.Value) != 1 {
			t.Fatalf("HDR-5: %s has %d values", h.Name, len(h.Value))
		}
		all = append(all, h.Name, h.Value[0])
	}
	return all
}

func TestRender(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"none", Config{}, nil},
		{"x-auth-request", Config{Families: []string{"x-auth-request"}}, []string{
			"X-Auth-Request-User", "ada", "X-Auth-Request-Email", "ada@example.com", "X-Auth-Request-Preferred-Username", "countess",
			"X-Auth-Request-Name", "Ada Lovelace", "X-Auth-Request-Groups", "ops,staff",
		}},
		{"x-forwarded", Config{Families: []string{"x-forwarded"}}, []string{
			"X-Forwarded-User", "ada", "X-Forwarded-Email", "ada@example.com", "X-Forwarded-Groups", "ops,staff", "X-Forwarded-Preferred-Username", "countess",
		}},
		{"remote", Config{Families: []string{"remote"}}, []string{
			"Remote-User", "ada", "Remote-Email", "ada@example.com", "Remote-Name", "Ada Lovelace", "Remote-Groups", "ops,staff",
		}},
		{"HDR-5 a family that is named twice", Config{Families: []string{"remote", "remote"}}, []string{
			"Remote-User", "ada", "Remote-Email", "ada@example.com", "Remote-Name", "Ada Lovelace", "Remote-Groups", "ops,staff",
		}},
		{"tokens", Config{PassAccessToken: true, PassIDToken: true}, []string{
			"X-Auth-Request-Access-Token", "at-1", "Authorization", "Bearer a.b.c",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(tt.cfg)
			if diff := cmp.Diff(tt.want, pairs(t, r.Render(ada, tokens))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			blank := slices.Clone(tt.want)
			for i := 1; i < len(blank); i += 2 {
				blank[i] = ""
			}
			if diff := cmp.Diff(blank, pairs(t, r.Render(auth.User{}, auth.Tokens{}))); diff != "" {
				t.Errorf("HDR-5 for nobody (-want +got)\n%s", diff)
			}
		})
	}
}

// TestExactlyOnce: with everything switched on no header comes twice, whatever
// the order of the families, and each name is in canonical form.
func TestExactlyOnce(t *testing.T) {
	id := New(Config{Families: []string{"remote", "x-forwarded", "x-auth-request"}, PassAccessToken: true, PassIDToken: true}).Render(ada, tokens)
	seen := map[string]bool{}
	for _, h := range id.Headers {
		if seen[h.Name] || h.Name != http.CanonicalHeaderKey(h.Name) {
			t.Errorf("HDR-5: %s comes twice or is not canonical", h.Name)
		}
		seen[h.Name] = true
	}
	if len(seen) != 15 {
		t.Errorf("HDR-5: %d headers, want 15", len(seen))
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value string
		want  string
	}{
		{"plain", "ada", "ada"},
		{"inner spaces stay", "Ada  King Lovelace", "Ada  King Lovelace"},
		{"HDR-9 another header", "a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"},
		{"HDR-9 NUL", "a\x00b", "a%00b"},
		{"HDR-9 DEL", "a\x7fb", "a%7Fb"},
		{"HDR-9 tab", "a\tb", "a%09b"},
		{"HDR-9 beyond ASCII", "Jörg", "J%C3%B6rg"},
		{"HDR-9 no UTF-8", "J\xf6rg", "J%F6rg"},
		{"HDR-9 leading and trailing space", "  a b ", "%20 a b%20"},
		{"HDR-9 a space alone", " ", "%20"},
		{"HDR-9 a comma is no list here", "Lovelace, Ada", "Lovelace, Ada"},
		{"HDR-9 per cent sign", "100%", "100%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user := auth.User{Subject: "1", ID: tt.value, Email: tt.value, Name: tt.value, PreferredUsername: tt.value}
			id := New(Config{Families: []string{"x-auth-request"}}).Render(user, auth.Tokens{})
			for _, h := range id.Headers[:4] {
				if h.Value[0] != tt.want {
					t.Errorf("%s: %q, want %q", h.Name, h.Value[0], tt.want)
				}
			}
		})
	}
}

func TestGroups(t *testing.T) {
	for _, tt := range []struct {
		name   string
		groups []string
		want   string
	}{
		{"none", nil, ""},
		{"two", []string{"a", "b"}, "a,b"},
		{"HDR-9 a comma in a name", []string{"g1,g2", "h"}, "g1%2Cg2,h"},
		{"HDR-9 an escape in a name", []string{"g1%2Cg2"}, "g1%252Cg2"},
		{"HDR-9 spaces", []string{" a b ", "c"}, "%20a b%20,c"},
		{"HDR-9 line break, NUL, UTF-8", []string{"a\nb", "\x00", "ö"}, "a%0Ab,%00,%C3%B6"},
		{"HDR-9 an empty name makes no element", []string{"", "a", "", "b", ""}, "a,b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := list(tt.groups); got != tt.want {
				t.Errorf("list(%q) = %q, want %q", tt.groups, got, tt.want)
			}
		})
	}
}

// TestSize compares Size with the bytes that net/http writes, which is how HDR-10
// is kept.
func TestSize(t *testing.T) {
	r := New(Config{Families: []string{"x-auth-request", "x-forwarded", "remote"}, PassAccessToken: true, PassIDToken: true})
	for _, tt := range []struct {
		name string
		user auth.User
	}{
		{"HDR-10 nobody", auth.User{}},
		{"HDR-10 usual", ada},
		{"HDR-10 odd", auth.User{ID: " a\r\nb ", Email: "é", Name: "\x00\x7f", Groups: []string{"a,b", " ", "100%"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := r.Render(tt.user, tokens)
			h := http.Header{}
			for _, field := range id.Headers {
				h[field.Name] = field.Value
			}
			var wire bytes.Buffer
			if err := h.Write(&wire); err != nil {
				t.Fatal(err)
			}
			if id.Size != wire.Len() {
				t.Errorf("Size = %d, net/http writes %d bytes", id.Size, wire.Len())
			}
		})
	}
}

// TestOnTheWire: what a gateway reads is the value that was rendered; nothing is
// trimmed or replaced on the way.
func TestOnTheWire(t *testing.T) {
	user := auth.User{Subject: "1", ID: " a\r\nX-Admin: 1", Email: "a\x00b", Name: "Jörg ", Groups: []string{"g1,g2", "h"}}
	id := New(Config{Families: []string{"x-auth-request"}}).Render(user, auth.Tokens{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, field := range id.Headers {
			w.Header()[field.Name] = field.Value
		}
	}))
	defer server.Close()
	answer, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	for _, field := range id.Headers {
		if diff := cmp.Diff(field.Value, answer.Header[field.Name]); diff != "" {
			t.Errorf("HDR-9 %s (-want +got)\n%s", field.Name, diff)
		}
	}
	if answer.Header.Get("X-Admin") != "" {
		t.Error("HDR-9: a name made a header")
	}
}

// FuzzValues: any value is one line of printable ASCII without spaces at its ends, and a
// list of groups can be taken apart again.
func FuzzValues(f *testing.F) {
	f.Add("ada", "ops", "staff")
	f.Add(" a\r\nX: 1", "g1,g2", "%2C")
	f.Add("Jörg", " ", "\x00")
	f.Fuzz(func(t *testing.T, value, first, second string) {
		joined := list([]string{first, second})
		for _, line := range []string{encode(value), joined} {
			if strings.TrimSpace(line) != line || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("HDR-9: %q is no header value", line)
			}
		}
		var want []string
		for _, group := range []string{first, second} {
			if group != "" {
				want = append(want, group)
			}
		}
		var got []string
		for element := range strings.SplitSeq(joined, ",") {
			if element == "" {
				continue
			}
			name, err := url.PathUnescape(element)
			if err != nil {
				t.Fatalf("HDR-9: %q: %v", joined, err)
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("HDR-9: %q reads as %q, want %q", joined, got, want)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	r := New(Config{Families: []string{"x-auth-request"}})
	b.ReportAllocs()
	for b.Loop() {
		r.Render(ada, auth.Tokens{})
	}
}
