package policy

import (
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

// TestUnknownIsNotAbsent: a condition that says whom to keep out lets nobody in
// whose groups or address are not known (AUTHZ-3, AUTHZ-4).
func TestUnknownIsNotAbsent(t *testing.T) {
	const byGroup, byEmail = `!("contractors" in user.groups)`, `!user.email.endsWith("@partner.test")`
	for _, tt := range []struct {
		name       string
		expression string
		user       auth.User
		want       auth.Reason
	}{
		{"no groups, and that is known", byGroup, auth.User{Subject: "1"}, auth.Admitted},
		{"groups kept elsewhere", byGroup, auth.User{Subject: "1", GroupsUnknown: true}, auth.ConditionError},
		{"groups kept elsewhere, some known", byGroup, auth.User{Subject: "1", Groups: []string{"a"}, GroupsUnknown: true}, auth.ConditionError},
		{"a verified address", byEmail, auth.User{Subject: "1", Email: "ada@example.com"}, auth.Admitted},
		{"no verified address", byEmail, auth.User{Subject: "1"}, auth.ConditionError},
		{"the other is of no interest", byEmail, auth.User{Subject: "1", Email: "ada@example.com", GroupsUnknown: true}, auth.Admitted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Compile(tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := c.holds(&auth.Request{Path: "/"}, &tt.user, "/"); got != tt.want || ok != (tt.want == auth.Admitted) {
				t.Errorf("%v, %v; want %v", got, ok, tt.want)
			}
		})
	}
}
