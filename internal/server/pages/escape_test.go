package pages

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// allowed are all elements that a page is made of. Whatever else turns up came
// out of the data.
var allowed = strings.Fields(`html head meta title link style body header svg path circle span main footer
	h1 p bdi b a ul li div dl dt dd details summary time form button code nav small img`)

func TestHostileDataStaysText(t *testing.T) {
	s := newSet(t)
	long := strings.Repeat("ж", 5<<10)
	for _, hostile := range []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' onmouseover='alert(1)' x='`,
		`</title></style></main><h1>x</h1>`,
		`{{.}}<!--`,
		"\x00\u202e\u2066\r\n<b onclick=x>",
		long,
	} {
		for _, address := range []string{
			"javascript:alert(1)", "JaVaScRiPt:alert(1)", "\tjavascript:alert(1)", "data:text/html,<script>alert(1)</script>",
			"vbscript:x", `/x"onclick="alert(1)`, hostile,
		} {
			for _, tt := range samples(hostile, address) {
				t.Run(tt.name+" HTTP-5", func(t *testing.T) {
					source, doc := render(t, s, tt)
					checkInert(t, source, doc)
				})
			}
		}
	}
}

// checkInert fails when a page holds anything that its templates do not.
func checkInert(t *testing.T, source string, doc *html.Node) {
	t.Helper()
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(allowed, n.Data) {
			t.Errorf("an element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			if a.Key != "href" && a.Key != "action" && a.Key != "src" || n.Data == "link" {
				continue
			}
			scheme, _, found := strings.Cut(strings.ToLower(a.Val), ":")
			if found && (strings.Contains(scheme, "script") || scheme == "data") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	for _, name := range []string{"h1", "main", "title"} {
		if len(elements(doc, name)) != 1 {
			t.Errorf("more than one <%s>", name)
		}
	}
	if strings.Contains(source, "<script") {
		t.Error("a <script")
	}
}
