package policy

import (
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// Governing is the rule that governs a request or, for a path that can be read
// in two ways, the rules of both readings. The zero Governing denies.
type Governing struct {
	set           *Set
	first, second *rule
	narrowed      bool // by the query of the check
}

// Public reports whether the request may pass without anybody signed in.
func (g Governing) Public() bool {
	return g.first != nil && g.first.Public && g.second == nil && !g.narrowed
}

// Redirects reports whether somebody who is not signed in may be sent to a login.
func (g Governing) Redirects() bool {
	return g.first != nil && !g.first.NoRedirect && (g.second == nil || !g.second.NoRedirect)
}

// Name is the name of the rule that governs the path as it came, "" when none
// covers it. Judge says which rule a judgement is of.
func (g Governing) Name() string {
	if g.first == nil {
		return ""
	}
	return g.first.Name
}

// Login is what the rules ask of a login, beyond that there is one.
type Login struct {
	ACR      []string
	MaxAge   time.Duration // 0: any age
	Provider string
}

// Login returns what a login has to be like that is to satisfy the rules.
func (g Governing) Login() Login {
	var login Login
	for _, r := range [...]*rule{g.first, g.second} {
		if r == nil {
			continue
		}
		if len(r.ACR) > 0 {
			login.ACR = r.ACR
		}
		if r.MaxAge > 0 && (login.MaxAge == 0 || r.MaxAge < login.MaxAge) {
			login.MaxAge = r.MaxAge
		}
		if r.Provider != "" {
			login.Provider = r.Provider
		}
	}
	return login
}

// Decide judges user on req. Where two rules govern, both must admit the user.
func (g Governing) Decide(req auth.Request, user auth.User) auth.Judgement {
	judgement, _ := g.Judge(req, user)
	return judgement
}

// Judge is Decide, and the name of the rule that the judgement is of: where two
// rules govern, of the one that refuses, and of the first when both do. It is ""
// when none covers the request.
func (g Governing) Judge(req auth.Request, user auth.User) (judgement auth.Judgement, rule string) {
	if g.first == nil {
		return auth.Judgement{Reason: auth.NoRule}, ""
	}
	judgement = g.first.decide(req, user, g.set.now)
	if g.second != nil && judgement.Verdict != auth.Deny {
		if other := g.second.decide(req, user, g.set.now); other.Verdict != auth.Allow {
			return other, g.second.Name
		}
	}
	return judgement, g.first.Name
}
