package pages

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// sample is one page with data of one kind.
type sample struct {
	name string
	form bool // the page sends a POST
	page func(*Set, io.Writer) error
}

// samples are all pages in all their shapes: text stands in every field that is
// shown, and url in every field that is an address.
func samples(text, url string) []sample {
	providers := []Provider{{text, url, true}, {text, url, false}, {text, url, false}}
	groups := slices.Repeat([]string{text}, 9)
	expires := time.Date(2026, 11, 29, 14, 5, 0, 0, time.FixedZone("", 3600))
	return []sample{
		{"sign in", false, func(s *Set, w io.Writer) error {
			return s.SignIn(w, SignIn{Host: text, Providers: providers[:1]})
		}},
		{"sign in, chooser", false, func(s *Set, w io.Writer) error {
			return s.SignIn(w, SignIn{Providers: providers})
		}},
		{"sign in, no provider", false, func(s *Set, w io.Writer) error {
			return s.SignIn(w, SignIn{})
		}},
		{"account", false, func(s *Set, w io.Writer) error {
			return s.Account(w, Account{Account: text, Name: text + "1", Email: text + "2", Groups: groups[:2],
				Provider: text, Expires: expires, SignOutURL: url, SessionsURL: url,
				Apps: []App{{Title: text, Host: text + "1", URL: url, Icon: url}, {Title: text, Host: text, URL: url}}})
		}},
		{"account, many groups", false, func(s *Set, w io.Writer) error {
			return s.Account(w, Account{Account: text, Groups: groups, SignOutURL: url})
		}},
		{"sessions", true, func(s *Set, w io.Writer) error {
			return s.Sessions(w, Sessions{Account: text, Others: 70, More: 20, ActionURL: url, SignOutURL: url, HomeURL: url, Sessions: []Session{
				{ID: text, Device: text, Client: text, Site: text, Created: expires, Used: text, Here: true},
				{ID: text, Device: text, Client: text, Site: text, Created: expires, Used: text},
				{ID: text, Device: text, Created: expires},
			}})
		}},
		{"sessions, no other", false, func(s *Set, w io.Writer) error {
			return s.Sessions(w, Sessions{Account: text, ActionURL: url, Sessions: []Session{{ID: text, Device: text, Created: expires, Here: true}}})
		}},
		{"sessions, bare", false, func(s *Set, w io.Writer) error {
			return s.Sessions(w, Sessions{Unlisted: true, HomeURL: url})
		}},
		{"account of nobody", false, func(s *Set, w io.Writer) error {
			return s.Account(w, Account{SignInURL: url})
		}},
		{"signed out", false, func(s *Set, w io.Writer) error {
			return s.SignedOut(w, SignedOut{StillAt: text, SignInURL: url, ContinueURL: url, ContinueHost: text})
		}},
		{"signed out, bare", false, func(s *Set, w io.Writer) error {
			return s.SignedOut(w, SignedOut{})
		}},
		{"confirm sign-out", true, func(s *Set, w io.Writer) error {
			return s.ConfirmSignOut(w, ConfirmSignOut{Account: text, ActionURL: url, CancelURL: url})
		}},
		{"confirm sign-out by a link", false, func(s *Set, w io.Writer) error {
			return s.ConfirmSignOut(w, ConfirmSignOut{Account: text, ActionURL: url, ByLink: true, CancelURL: url})
		}},
		{"not allowed", false, func(s *Set, w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Account: text, Provider: text, Host: text, Reason: text, ReasonCode: text,
				RequestID: text, OtherAccountURL: url, SignOutURL: url, Operator: text})
		}},
		{"not allowed, another provider", false, func(s *Set, w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Account: text, Provider: text, OtherProvider: text, Host: text, Reason: text, ReasonCode: text,
				RequestID: text, OtherAccountURL: url, SignOutURL: url})
		}},
		{"not allowed, nobody", false, func(s *Set, w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Reason: text})
		}},
		{"problem", false, func(s *Set, w io.Writer) error {
			return s.Problem(w, Problem{Title: text, Text: text, Code: text, RetryURL: url, RetryLabel: text, HomeURL: url})
		}},
		{"problem, bare", false, func(s *Set, w io.Writer) error {
			return s.Problem(w, Problem{})
		}},
	}
}

func newSet(t *testing.T) *Set {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// render is the page as text and as a browser would read it.
func render(t *testing.T, s *Set, p sample) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := p.page(s, &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), doc
}

func elements(doc *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func meta(doc *html.Node, name string) string {
	for _, m := range elements(doc, "meta") {
		if attr(m, "name") == name {
			return attr(m, "content")
		}
	}
	return ""
}

func TestEveryPageIsWellBuilt(t *testing.T) {
	s := newSet(t)
	for _, tt := range samples("ada@example.com", "/next") {
		t.Run(tt.name, func(t *testing.T) {
			source, doc := render(t, s, tt)
			for _, name := range []string{"main", "h1", "title", "header", "style"} {
				if n := len(elements(doc, name)); n != 1 {
					t.Errorf("%d <%s>, want 1", n, name)
				}
			}
			for _, name := range []string{"title", "h1", "a", "button", "dt", "dd", "li", "p", "summary"} {
				for _, n := range elements(doc, name) {
					if text(n) == "" {
						t.Errorf("an empty <%s>", name)
					}
				}
			}
			if lang := attr(elements(doc, "html")[0], "lang"); lang != "en" {
				t.Errorf("lang = %q", lang)
			}
			for name, want := range map[string]string{
				"viewport":     "width=device-width, initial-scale=1",
				"color-scheme": "light dark",
				"robots":       "noindex",
			} {
				if got := meta(doc, name); got != want {
					t.Errorf("meta %s = %q, want %q", name, got, want)
				}
			}
			if len(source) > 12<<10 {
				t.Errorf("%d bytes, want at most 12 KiB", len(source))
			}
			if n := len(elements(doc, "form")); (n > 0) != tt.form {
				t.Errorf("%d forms", n)
			}
		})
	}
}

// The server's own Referrer-Policy is no-referrer, under which a browser sends
// "Origin: null" with a form: OUT-2 would then ask for ever.
func TestPagesWithAFormSendTheirOrigin(t *testing.T) {
	s := newSet(t)
	for _, tt := range samples("ada@example.com", "/next") {
		t.Run(tt.name+" OUT-2 HTTP-2", func(t *testing.T) {
			_, doc := render(t, s, tt)
			got := meta(doc, "referrer")
			if got != "strict-origin" && (tt.form || got != "no-referrer") {
				t.Errorf("referrer = %q", got)
			}
			for _, form := range elements(doc, "form") {
				if attr(form, "method") != "post" || attr(form, "action") != "/next" {
					t.Errorf("form %v", form.Attr)
				}
			}
		})
	}
}

func TestDataIsShownWhole(t *testing.T) {
	s := newSet(t)
	name := `O'Brien <ada@example.com> & "Söhne" مرحبا`
	for _, tt := range samples(name, "/next?rd=https%3A%2F%2Fapp.example.com%2Fa%2520b%3Fx%3D1%26y%3D%2526") {
		if strings.HasSuffix(tt.name, "bare") || strings.HasSuffix(tt.name, "no provider") {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			_, doc := render(t, s, tt)
			if !strings.Contains(text(elements(doc, "main")[0]), name) && tt.name != "account of nobody" {
				t.Errorf("%q is not on the page", name)
			}
			for _, a := range elements(doc, "a") {
				if want := "/next?rd=https%3A%2F%2Fapp.example.com%2Fa%2520b%3Fx%3D1%26y%3D%2526"; attr(a, "href") != want {
					t.Errorf("href = %q, want %q", attr(a, "href"), want)
				}
			}
		})
	}
}

func TestWords(t *testing.T) {
	s := newSet(t)
	for _, tt := range []struct {
		name string
		page func(io.Writer) error
		want string
	}{
		{"chooser", func(w io.Writer) error {
			return s.SignIn(w, SignIn{Providers: []Provider{{"Company login", "/b", true}, {"GitHub", "/a", false}}})
		}, "Sign in Choose the account that you want to use. Continue with Company login used last time Continue with GitHub"},
		{"another provider", func(w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Account: "ada", Provider: "GitHub", OtherProvider: "Company login", Host: "app.example.com",
				Reason: "Not this one.", OtherAccountURL: "/start", SignOutURL: "/sign_out"})
		}, "Another login is needed You are signed in as ada with GitHub, but app.example.com opens only to logins with Company login. Sign in with Company login Sign out"},
		{"sign in", func(w io.Writer) error {
			return s.SignIn(w, SignIn{Host: "app.example.com", Providers: []Provider{{"Company login", "/start", false}}})
		}, "Sign in to continue to app.example.com Continue with Company login"},
		{"account, e-mail not said twice", func(w io.Writer) error {
			return s.Account(w, Account{Account: "ada@example.com", Email: "ada@example.com", Name: "Ada", Provider: "Dex",
				Expires: time.Date(2026, 11, 29, 15, 5, 0, 0, time.FixedZone("", 3600)), SignOutURL: "/sign_out"})
		}, "You are signed in as ada@example.com Name Ada Signed in with Dex Signed in until 29 Nov 2026, 14:05 UTC Sign out"},
		{"account with sessions", func(w io.Writer) error {
			return s.Account(w, Account{Account: "ada", SignOutURL: "/sign_out", SessionsURL: "/sessions"})
		}, "You are signed in as ada Sign out Your sessions"},
		{"sessions", func(w io.Writer) error {
			at := time.Date(2026, 11, 29, 15, 5, 0, 0, time.FixedZone("", 3600))
			return s.Sessions(w, Sessions{Account: "ada", Others: 1, ActionURL: "/sessions", SignOutURL: "/sign_out", HomeURL: "/", Sessions: []Session{
				{ID: "1", Device: "Firefox on Windows", Client: "192.0.2.7", Created: at, Used: "now", Here: true},
				{ID: "2", Device: "curl", Site: "app.example.com", Created: at, Used: "2 days ago"},
			}})
		}, "Your sessions This is where you are signed in as ada. End what you do not recognise. " +
			"Firefox on Windows this browser Sign out Address 192.0.2.7 Signed in 29 Nov 2026, 14:05 UTC Last used now " +
			"curl End Site app.example.com Signed in 29 Nov 2026, 14:05 UTC Last used 2 days ago End all others Your account"},
		{"sessions, no other", func(w io.Writer) error {
			return s.Sessions(w, Sessions{Account: "ada", Sessions: []Session{{ID: "1", Device: "curl", Here: true}}})
		}, "Your sessions You are signed in as ada here, and nowhere else. curl this browser Signed in 1 Jan 0001, 00:00 UTC"},
		{"sessions that nobody knows", func(w io.Writer) error { return s.Sessions(w, Sessions{Unlisted: true, HomeURL: "/"}) },
			"Your sessions Here every session is kept in its own browser, so there is no list of them. " +
				"A list needs sessions that are kept in Redis; whoever runs this site can choose that. Your account"},
		{"account of nobody", func(w io.Writer) error {
			return s.Account(w, Account{Email: "stale@example.com", SignInURL: "/start"})
		}, "You are not signed in Some sites here open only to people who are known. Sign in"},
		{"signed out", func(w io.Writer) error {
			return s.SignedOut(w, SignedOut{SignInURL: "/start", ContinueURL: "https://app.example.com/", ContinueHost: "app.example.com"})
		}, "You are signed out Your session has ended. You can close this window. Sign in again Go to app.example.com"},
		{"confirm", func(w io.Writer) error {
			return s.ConfirmSignOut(w, ConfirmSignOut{Account: "ada", ActionURL: "/sign_out"})
		}, "Sign out? You are signed in as ada. This ends your session on every site that shares this sign-in. Sign out"},
		{"not allowed AUTHZ-7", func(w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Account: "ada@example.com", Host: "grafana.example.com", Reason: "Because.", OtherAccountURL: "/start"})
		}, "This account may not enter You are signed in as ada@example.com, but this account may not open grafana.example.com. Because. Use another account"},
		{"not allowed, nobody known", func(w io.Writer) error {
			return s.NotAllowed(w, NotAllowed{Reason: "Because."})
		}, "You may not enter here The way to this page is closed. Because."},
		{"problem", func(w io.Writer) error { return s.Problem(w, Problem{RetryURL: "/start"}) }, "Something went wrong Try again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, doc := render(t, s, sample{page: func(_ *Set, w io.Writer) error { return tt.page(w) }})
			var words []string
			for n := range elements(doc, "main")[0].Descendants() {
				if n.Type == html.TextNode {
					words = append(words, n.Data)
				}
			}
			if got := strings.Join(strings.Fields(strings.Join(words, "")), " "); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteErrorIsReported(t *testing.T) {
	if err := newSet(t).SignIn(brokenWriter{}, SignIn{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("err = %v", err)
	}
}
