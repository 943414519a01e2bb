package idp

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseCallback(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, tt := range []struct {
		name  string
		query string
		want  Callback
		bad   bool
	}{
		{"code", "code=c&state=s&iss=https%3A%2F%2Fid.example.com", Callback{Code: "c", State: "s", Issuer: "https://id.example.com"}, false},
		{"error", "error=access_denied&error_description=no+way&state=s", Callback{Error: "access_denied", ErrorDescription: "no way", State: "s"}, false},
		{"bookmark", "", Callback{}, false},
		{"other parameters are ignored", "session_state=a&session_state=b&code=c", Callback{Code: "c"}, false},
		{"names are case-sensitive", "CODE=a&code=c", Callback{Code: "c"}, false},
		{"OIDC-5 description is cut at 200 characters", "error=e&error_description=" + long, Callback{Error: "e", ErrorDescription: long[:400]}, false},
		{"OIDC-6 repeated code", "code=a&code=b&state=s", Callback{}, true},
		{"OIDC-6 repeated code, the same", "code=a&code=a&state=s", Callback{}, true},
		{"OIDC-6 repeated code, encoded name", "code=a&%63ode=b&state=s", Callback{}, true},
		{"OIDC-6 repeated code, one empty", "code=&code=b&state=s", Callback{}, true},
		{"OIDC-6 repeated state", "code=a&state=s&state=t", Callback{}, true},
		{"OIDC-6 repeated iss", "code=a&iss=s&iss=t", Callback{}, true},
		{"OIDC-6 repeated error", "error=s&error=t", Callback{}, true},
		{"OIDC-6 repeated error_description", "error=s&error_description=t&error_description=u", Callback{}, true},
		{"code and error", "code=a&error=b", Callback{}, true},
		{"semicolon", "code=a;state=s", Callback{}, true},
		{"bad escape", "code=%zz", Callback{}, true},
		{"LIM-2 too long", "code=" + strings.Repeat("a", maxCallback), Callback{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCallback(tt.query)
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("got %+v, %v", got, err)
			}
			if tt.bad && reason(err) != ReasonCallback {
				t.Errorf("reason %s", reason(err))
			}
		})
	}
}

func FuzzParseCallback(f *testing.F) {
	for _, seed := range []string{"code=c&state=s&iss=i", "error=e&error_description=%C3%A9", "code=a&code=b", "a;b", "%63ode=x&code=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		cb, err := ParseCallback(query)
		if err != nil {
			if cb != (Callback{}) {
				t.Errorf("%q: an error and an answer", query)
			}
			if len(err.Error()) > 200 {
				t.Errorf("%q: the error may repeat the query", query)
			}
			return
		}
		if cb.Code != "" && cb.Error != "" {
			t.Errorf("%q: both a code and an error", query)
		}
		if utf8.RuneCountInString(cb.ErrorDescription) > maxDescription {
			t.Errorf("%q: the description is not cut", query)
		}
	})
}
