package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// TestEmailRules asks a rule for one domain and one address.
func TestEmailRules(t *testing.T) {
	set := New([]Rule{{Hosts: []string{"a.test"}, Allow: &Allow{Emails: []string{"Ada@Partner.org"}, EmailDomains: []string{"Example.com"}}}}, nil, time.Now)
	for _, tt := range []struct {
		name  string
		email string
		want  string // the code of the reason
	}{
		{"AUTHZ-2 in the domain", "ada@example.com", "admitted"},
		{"AUTHZ-2 the domain in another case", "ada@EXAMPLE.com", "admitted"},
		{"AUTHZ-2 the address", "ada@partner.org", "admitted"},
		{"AUTHZ-2 the address in another case", "ADA@PARTNER.ORG", "admitted"},
		{"AUTHZ-2 another address there", "eve@partner.org", "email_not_allowed"},
		{"AUTHZ-2 ends like the domain", "a@evil-example.com", "email_not_allowed"},
		{"AUTHZ-2 begins like the domain", "a@example.com.evil.com", "email_not_allowed"},
		{"AUTHZ-2 below the domain", "a@sub.example.com", "email_not_allowed"},
		{"AUTHZ-2 above the domain", "a@com", "email_not_allowed"},
		{"AUTHZ-2 CVE-2026-40574 two at signs", "a@evil.com@example.com", "email_unverified"},
		{"AUTHZ-2 two at signs, the mirror image", "a@example.com@evil.com", "email_unverified"},
		{"AUTHZ-2 two at signs together", "a@@example.com", "email_unverified"},
		{"AUTHZ-2 a letter that folds to s", "a@exampleſ.com", "email_unverified"},
		{"AUTHZ-2 a letter that folds to K", "a@example.com\u212a", "email_unverified"},
		{"AUTHZ-2 GHSA-7rqj-j65f-68wh a look-alike at sign", "a＠example.com", "email_unverified"},
		{"AUTHZ-2 a look-alike beside the real one", "a＠evil.com@example.com", "email_unverified"},
		{"AUTHZ-2 final dot", "a@example.com.", "email_unverified"},
		{"AUTHZ-2 first dot", "a@.example.com", "email_unverified"},
		{"AUTHZ-2 two dots", "a@example..com", "email_unverified"},
		{"AUTHZ-2 quoted local part", `"a@example.com"@evil.com`, "email_unverified"},
		{"AUTHZ-2 quoted local part in the domain", `"a"@example.com`, "email_unverified"},
		{"AUTHZ-2 trailing NUL", "a@example.com\x00", "email_unverified"},
		{"AUTHZ-2 trailing space", "a@example.com ", "email_unverified"},
		{"AUTHZ-2 leading space", " a@example.com", "email_unverified"},
		{"AUTHZ-2 line break", "a@evil.com\n@example.com", "email_unverified"},
		{"AUTHZ-2 DEL", "a\x7f@example.com", "email_unverified"},
		{"AUTHZ-2 no local part", "@example.com", "email_unverified"},
		{"AUTHZ-2 no domain", "ada@", "email_unverified"},
		{"AUTHZ-2 the domain alone", "example.com", "email_unverified"},
		{"AUTHZ-2 254 bytes", strings.Repeat("a", 254-len("@example.com")) + "@example.com", "admitted"},
		{"AUTHZ-2 255 bytes", strings.Repeat("a", 255-len("@example.com")) + "@example.com", "email_unverified"},
		{"AUTHZ-3 none that is verified", "", "email_unverified"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := auth.Request{Host: "a.test", Method: "GET", Path: "/"}
			got := set.Match(req).Decide(req, auth.User{Subject: "1", Email: tt.email})
			if got.Reason.Code != tt.want || (got.Verdict == auth.Allow) != (tt.want == "admitted") {
				t.Errorf("%q: %v", tt.email, got)
			}
		})
	}
}
