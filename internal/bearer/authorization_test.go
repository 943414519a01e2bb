package bearer_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
)

func TestAuthorization(t *testing.T) {
	long := strings.Repeat("a", 16<<10)
	for _, tt := range []struct {
		name  string
		lines []string
		token string
		found bool // without a token: refused
	}{
		{"as it should be", []string{"Bearer abc"}, "abc", true},
		{"BEAR-3 the scheme in lower case", []string{"bearer abc"}, "abc", true},
		{"BEAR-3 the scheme in mixed case", []string{"bEaReR abc"}, "abc", true},
		{"RFC 9110 several spaces", []string{"Bearer   abc"}, "abc", true},
		{"RFC 9110 space around the line", []string{" \tBearer abc\t "}, "abc", true},
		{"RFC 6750 every character", []string{"Bearer aZ09-._~+/=="}, "aZ09-._~+/==", true},
		{"TOK-6 16 KiB", []string{"Bearer " + long}, long, true},

		{"no header", nil, "", false},
		{"empty header", []string{""}, "", false},
		{"Basic", []string{"Basic YTpi"}, "", false},
		{"Digest that speaks of Bearer", []string{`Digest username="Bearer abc"`}, "", false},
		{"a scheme that begins like it", []string{"BearerX abc"}, "", false},
		{"a scheme that ends like it", []string{"XBearer abc"}, "", false},
		{"a letter that folds to one of Bearer elsewhere", []string{"Bearer\u212a abc"}, "", true},
		{"no scheme", []string{"=Bearer abc"}, "", false},

		{"BEAR-3 twice", []string{"Bearer abc", "Bearer abc"}, "", true},
		{"BEAR-3 a good one first", []string{"Bearer abc", "Basic YTpi"}, "", true},
		{"BEAR-3 a good one last", []string{"Basic YTpi", "Bearer abc"}, "", true},
		{"BEAR-3 an empty one beside it", []string{"Bearer abc", ""}, "", true},
		{"BEAR-3 two tokens", []string{"Bearer abc def"}, "", true},
		{"BEAR-3 two tokens and a comma", []string{"Bearer abc, Bearer def"}, "", true},
		{"BEAR-3 no token", []string{"Bearer"}, "", true},
		{"BEAR-3 a space for a token", []string{"Bearer "}, "", true},
		{"BEAR-3 no space", []string{"Bearer=abc"}, "", true},
		{"BEAR-3 a slash in place of the space", []string{"Bearer/abc"}, "", true},
		{"BEAR-3 a comma inside", []string{"Bearer abc,def"}, "", true},
		{"BEAR-3 a tab in place of the space", []string{"Bearer\tabc"}, "", true},
		{"BEAR-3 a tab after the space", []string{"Bearer \tabc"}, "", true},
		{"BEAR-3 a parameter", []string{`Bearer token="abc"`}, "", true},
		{"BEAR-3 padding only", []string{"Bearer =="}, "", true},
		{"BEAR-3 padding inside", []string{"Bearer a=b"}, "", true},
		{"BEAR-3 NUL", []string{"Bearer abc\x00"}, "", true},
		{"BEAR-3 a line break", []string{"Bearer abc\r\nX: y"}, "", true},
		{"BEAR-3 percent", []string{"Bearer a%20b"}, "", true},
		{"BEAR-3 not ASCII", []string{"Bearer abcé"}, "", true},
		{"TOK-6 16 KiB and one byte", []string{"Bearer " + long + "a"}, "", true},
		{"TOK-6 1 MB", []string{"Bearer " + strings.Repeat("a", 1<<20)}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, found, err := bearer.Authorization(tt.lines)
			if token.Reveal() != tt.token || found != tt.found {
				t.Errorf("got %q, %v; want %q, %v", token.Reveal(), found, tt.token, tt.found)
			}
			if refused := tt.found && tt.token == ""; errors.Is(err, auth.ErrInvalidToken) != refused || (err != nil) != refused {
				t.Errorf("error %v", err)
			}
		})
	}
}

// credentials is RFC 6750 2.1 as one expression.
var credentials = regexp.MustCompile(`^[ \t]*(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)[ \t]*$`)

// refusals are all errors, none of which depends on the header's text.
var refusals = regexp.MustCompile(`^bearer: auth: invalid bearer token: (the Authorization header occurs 2 times|` +
	`no token follows the scheme|what follows the scheme is no token|the token is longer than 16384 bytes)$`)

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer  a.b.c==", "Basic YTpi", "Bearer", "Bearer a b", " Bearer\tabc", "Bearer a=b", "", "Bearer abc\n"} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, line string, twice bool) {
		lines := []string{line}
		if twice {
			lines = append(lines, line)
		}
		token, found, err := bearer.Authorization(lines)
		if err != nil && (!found || token != "" || !errors.Is(err, auth.ErrInvalidToken)) || err == nil && found != (token != "") {
			t.Fatalf("BEAR-3 %q: %q, %v, %v", line, token.Reveal(), found, err)
		}
		want := credentials.FindStringSubmatch(line)
		if good := want != nil && len(want[1]) <= 16<<10 && !twice; good != (token != "") {
			t.Fatalf("BEAR-3 %q: %q", line, token.Reveal())
		}
		if token != "" && token.Reveal() != want[1] {
			t.Fatalf("BEAR-3 %q: %q", line, token.Reveal())
		}
		if err != nil && !refusals.MatchString(err.Error()) {
			t.Fatalf("LOG-2: an error of other words, perhaps of the header's: %v", err)
		}
	})
}
