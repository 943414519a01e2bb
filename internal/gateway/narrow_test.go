package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/auth"
)

func TestNarrowing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		query string
		want  auth.Narrowing
	}{
		{"nothing", "", auth.Narrowing{}},
		{"groups", "allowed_groups=a,b", auth.Narrowing{Groups: [][]string{{"a", "b"}}}},
		{"all three", "allowed_groups=a&allowed_emails=x@y.test&allowed_email_domains=y.test", auth.Narrowing{
			Groups: [][]string{{"a"}}, Emails: [][]string{{"x@y.test"}}, EmailDomains: [][]string{{"y.test"}},
		}},
		{"AUTHZ-7 repeated: each must hold", "allowed_groups=a&allowed_groups=b", auth.Narrowing{Groups: [][]string{{"a"}, {"b"}}}},
		{"AUTHZ-7 CVE-2021-21411 empty admits nobody", "allowed_groups=", auth.Narrowing{Groups: [][]string{nil}}},
		{"AUTHZ-7 without a value admits nobody", "allowed_emails", auth.Narrowing{Emails: [][]string{nil}}},
		{"AUTHZ-7 only separators admit nobody", "allowed_groups=,%20,", auth.Narrowing{Groups: [][]string{nil}}},
		{"AUTHZ-7 a bad escape admits nobody", "allowed_groups=%zz", auth.Narrowing{Groups: [][]string{nil}}},
		{"escapes and spaces", "allowed_groups=a%2Cb,+c%20d+", auth.Narrowing{Groups: [][]string{{"a", "b", "c d"}}}},
		{"an escaped name counts", "%61llowed_groups=a", auth.Narrowing{Groups: [][]string{{"a"}}}},
		{"case is exact", "Allowed_Groups=a", auth.Narrowing{}},
		{"the client's own query is passed over", "x=1;y=2&z&%zz=1&=", auth.Narrowing{}},
		{"a client that repeats it only narrows more", "allowed_groups=a&x=1&allowed_groups=", auth.Narrowing{Groups: [][]string{{"a"}, nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, narrowing(tt.query)); diff != "" {
				t.Errorf("narrowing(%q) (-want +got)\n%s", tt.query, diff)
			}
		})
	}
}
