package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/doorward/doorward/internal/auth"
)

// answerings are the dialects by the headers of their answers.
func answerings(s Settings) map[string]func(auth.Request, auth.Decision) http.Header {
	over := func(d Dialect) func(auth.Request, auth.Decision) http.Header {
		return func(req auth.Request, decision auth.Decision) http.Header {
			w := httptest.NewRecorder()
			d.Answer(w, req, decision)
			return w.Header()
		}
	}
	return map[string]func(auth.Request, auth.Decision) http.Header{
		"original":  over(Original{s}),
		"forwarded": over(Forwarded{Settings: s}),
		"envoy":     over(Envoy{Settings: s}),
		"grpc": func(req auth.Request, decision auth.Decision) http.Header {
			h := http.Header{}
			answer := GRPC{Settings: s}.Answer(req, decision)
			for _, options := range append(answer.GetDeniedResponse().GetHeaders(), answer.GetOkResponse().GetHeaders()...) {
				h.Add(options.GetHeader().GetKey(), options.GetHeader().GetValue())
			}
			return h
		},
	}
}

// TestReasonHeader: whoever asked for it reads why, in every dialect, but not who
// is no gateway of ours.
func TestReasonHeader(t *testing.T) {
	judged := func(v auth.Verdict, r auth.Reason) auth.Decision {
		return auth.Decision{Judgement: auth.Judgement{Verdict: v, Reason: r}, SignInURL: "https://auth.test/start"}
	}
	for _, tt := range []struct {
		name     string
		decision auth.Decision
		want     string
	}{
		{"allow", judged(auth.Allow, auth.Admitted), ""},
		{"sign in", judged(auth.SignIn, auth.NotSignedIn), "not_signed_in"},
		{"step-up", judged(auth.SignIn, auth.LoginTooWeak), "login_too_weak"},
		{"bad token", judged(auth.BadToken, auth.InvalidToken), "invalid_token"},
		{"deny", judged(auth.Deny, auth.GroupMissing), "group_missing"},
		{"cannot tell", judged(auth.Unknown, auth.StoreUnavailable), "store_unavailable"},
		{"ambiguous", auth.Refuse(auth.AmbiguousHeaders), "ambiguous_headers"},
		{"HDR-2 no gateway of ours", auth.Refuse(auth.UntrustedPeer), ""},
		{"the zero decision", auth.Decision{}, ""},
	} {
		for _, on := range []bool{true, false} {
			for dialect, answer := range answerings(Settings{Reasons: on}) {
				for _, navigation := range []bool{true, false} {
					want := []string{tt.want}
					if !on || tt.want == "" {
						want = nil
					}
					got := answer(auth.Request{Method: "GET", Navigation: navigation}, tt.decision)["X-Doorward-Reason"]
					if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
						t.Errorf("%s, %s, asked for: %v: %q, want %q", tt.name, dialect, on, got, want)
					}
				}
			}
		}
	}
}
